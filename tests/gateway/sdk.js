// node sdk.js URL KEY NAME [ARGUMENT]: one use of OpenAI's SDK, whose outcome is printed as JSON.
const { OpenAI, RateLimitError, APIError } = require("../../build/node/node_modules/openai");
const [url, apiKey, name, argument] = process.argv.slice(2);
let sent = 0, waited = [];
const client = new OpenAI({ baseURL: url + "/v1", apiKey, timeout: 20000,
  fetch: (...args) => { sent++; waited.push(Date.now()); return fetch(...args); } });
const chat = (model, content, more, options) =>
  client.chat.completions.create({ model, messages: [{ role: "system", content: "Be brief." },
    { role: "user", content }], max_tokens: 100, ...more }, options);

const uses = {
  async chat([model, content, more, options]) {
    const answer = await chat(model, content, more, options);
    const { message, finish_reason } = answer.choices[0];
    return { text: message.content, reason: finish_reason, usage: answer.usage, model: answer.model };
  },
  async twice([model, content, first, second]) {
    await chat(model, content, first);
    return uses.chat([model, content, second]);
  },
  async stream([model, content, more]) {
    let text = "", usage = null, chunks = 0, reason;
    try {
      for await (const chunk of await chat(model, content, { stream: true, ...more }, { maxRetries: 0 })) {
        chunks++;
        text += chunk.choices[0]?.delta?.content ?? "";
        reason = chunk.choices[0]?.finish_reason ?? reason;
        usage = chunk.usage ?? usage;
      }
    } catch (error) {
      if (!(error instanceof APIError) || text === "") throw error;
      return { text, error: error.message };
    }
    return { text, usage, reason, chunks };
  },
  async leave([model, content]) {
    const stream = await chat(model, content, { stream: true });
    for await (const _ of stream) break; // which aborts the request
    return {};
  },
  async models() { return { ids: (await client.models.list()).data.map((model) => model.id) }; },
  async embeddings([model, input, more]) {
    const answer = await client.embeddings.create({ model, input, ...more });
    return { vectors: answer.data.map((one) => one.embedding), usage: answer.usage };
  },
  async images([model, prompt, more]) {
    const answer = await client.images.generate({ model, prompt, ...more });
    return { images: answer.data.map((one) => one.b64_json), usage: answer.usage };
  },
  async speech([model, input]) {
    const answer = await client.audio.speech.create({ model, input, voice: "alloy" }, { maxRetries: 0 });
    return { type: answer.headers.get("content-type"), text: await answer.text() };
  },
};

uses[name](argument ? JSON.parse(argument) : [])
  .catch((error) => ({ error: error.constructor.name, status: error.status, message: error.message, code: error.code,
    limited: error instanceof RateLimitError, after: error.headers?.get("retry-after") }))
  .then((outcome) => {
    console.log(JSON.stringify({ ...outcome, sent, gap: waited.length > 1 ? waited.at(-1) - waited.at(-2) : undefined }));
    process.exit(0);
  });
