-- Limits of the gateway, over the tier that nginx.conf names. In force within a second after this file has been saved.
return {
  ["tenant:acme"] = { rpm = 600, tpm = 200000 },
  ["tenant:*"] = { rpm = 60, tpm = 20000 }, -- of each other tenant

  ["gemini-2.5-flash"] = { rpm = 10 }, -- then "fast" is answered by gpt-4o-mini
}
