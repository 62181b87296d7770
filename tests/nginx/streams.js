// node streams.js SOCKET N: so many requests at once over one connection of HTTP/2; prints how many were answered by 200.
const http2 = require("http2"), net = require("net");
const n = Number(process.argv[3]);
const client = http2.connect("http://gate", { createConnection: () => net.connect(process.argv[2]) });
let ended = 0, fine = 0;
for (let i = 0; i < n; i++) {
  const stream = client.request({ ":path": `/${i}/plain` });
  stream.on("response", (headers) => { if (headers[":status"] === 200) fine++; });
  stream.on("end", () => { if (++ended === n) { console.log(fine); client.close(); } });
  stream.resume();
  stream.end();
}
