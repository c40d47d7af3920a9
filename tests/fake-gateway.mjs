// A gateway that answers, hangs, dribbles and crashes on command.
//
// node fake-gateway.mjs MODE [PORT]: listens on a port of 127.0.0.1, prints it, and ends with its standard
// input. A line there changes the mode; "crash" throws.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import net from "node:net";
import readline from "node:readline";

const eventLoop = (degraded) => ({
  degraded,
  reasons: degraded ? ["event_loop_delay"] : [],
  delayP99Ms: degraded ? 1519.4 : 25.3,
  utilization: degraded ? 1 : 0.022,
});
const started = { ok: true, status: "started", version: "2026.9.6", uptimeMs: 241704 };
const readyz = (more) => ({ ready: true, failing: [], uptimeMs: 241704, eventLoop: eventLoop(false), ...more });

// What a living gateway says at /startupz and /readyz.
const living = {
  ready: [[200, started], [200, readyz({})]],
  warm: [[200, { ...started, uptimeMs: 9074 }], [200, readyz({ uptimeMs: 8948, eventLoop: eventLoop(true) })]],
  starting: [[503, { ok: false, status: "starting" }], [503, { ready: false }]],
  sidecars: [[200, { ok: true, status: "started" }], [503, readyz({ ready: false, failing: ["startup-sidecars"], uptimeMs: 2623 })]],
  draining: [[503, { ok: false, status: "draining" }], [503, readyz({ ready: false, failing: ["gateway-draining"] })]],
  degraded: [[200, started], [200, readyz({ eventLoop: eventLoop(true) })]],
  "channel-down": [[200, started], [503, readyz({ ready: false, failing: ["telegram"] })]],
  "database-down": [[200, started], [503, readyz({ ready: false, failing: ["agent-database:main"] })]],
  "not-ready-bare": [[200, { ok: true, status: "started" }], [503, { ready: false }]],
  "ready-bare": [[200, { ok: true, status: "started" }], [200, { ready: true }]],
};
// What the others answer at every path.
const page = { type: "text/html; charset=utf-8", body: "<!doctype html><title>Control</title>" };
const json = (body) => ({ type: "application/json; charset=utf-8", body });
const same = {
  webpage: [200, page],
  "proxy-502": [502, page],
  "proxy-403": [403, json(JSON.stringify({ error: { message: "…", type: "proxy_attribution_required" } }))],
  deep: [200, json("[".repeat(10000) + "]".repeat(10000))],
  utf8: [200, json(Buffer.from('{"ok":true,"status":"\xff\xfe"}', "latin1"))],
};
// What has no use for HTTP: each is given the connection once something was asked.
const raw = {
  hang: () => {},
  close: (socket) => socket.end(),
  reset: (socket) => socket.resetAndDestroy(),
  garbage: (socket) => socket.end("SSH-2.0-OpenSSH_9.2p1\r\n"),
  "half-head": (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Type: appl"),
  "endless-head": (socket) => pour(socket, "HTTP/1.1 200 OK\r\n", "X-More: and more\r\n".repeat(1000)),
  dribble: (socket) => {
    const text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let sent = 0;
    const timer = setInterval(() => socket.write(text[sent++ % text.length]), 1000);
    socket.write(text[sent++]);
    socket.on("close", () => clearInterval(timer));
  },
  huge: (socket) =>
    pour(
      socket,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n",
      " ".repeat(65536),
    ),
};

function pour(socket, head, piece) {
  socket.write(head);
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", more);
  more();
}

let mode = process.argv[2];
const http = createServer((request, response) => {
  const [status, { type, body }] = answer(request.url);
  response.writeHead(status, { "Content-Type": type });
  response.end(body);
});

function answer(path) {
  if (same[mode]) return same[mode];
  if (!living[mode.replace(/^ws-.*/, "ready")]) throw new Error(`no such mode: ${mode}`);
  const [start, ready] = living[mode.replace(/^ws-.*/, "ready")];
  const found = { "/healthz": [200, { ok: true, status: "live" }], "/startupz": start, "/readyz": ready }[path];
  return found ? [found[0], json(JSON.stringify(found[1]))] : [200, page];
}

const text = (content, first = 0x81) => {
  const bytes = Buffer.from(content);
  const head = bytes.length < 126 ? [first, bytes.length] : [first, 126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from(head), bytes]);
};
const challenge = JSON.stringify({
  type: "event",
  event: "connect.challenge",
  payload: { nonce: "331d3535-768c-4ac4-b0de-35d4d2a92357", ts: 1795356826955, capabilities: ["model-catalog-snapshot"] },
});
// What follows an upgrade; by default the challenge.
const frames = {
  "ws-silent": [],
  "ws-fragment": [text(challenge, 0x01)],
  "ws-large": [Buffer.from([0x81, 127, 0, 0, 0, 0, 0x40, 0, 0, 0])],
  "ws-masked": [Buffer.from([0x81, 0x85, 0, 0, 0, 0, 0x68, 0x65, 0x6c, 0x6c, 0x6f])],
  "ws-other": [text('{"type":"event","event":"tick"}')],
  "ws-close": [Buffer.concat([Buffer.from([0x88, 8, 0x03, 0xf0]), Buffer.from("policy")])],
  "ws-ping-first": [Buffer.from([0x89, 2, 0x68, 0x69]), text(challenge)],
};

http.on("upgrade", (request, socket) => {
  socket.on("error", () => {});
  if (same[mode]) {
    const [status, { type, body }] = same[mode];
    return socket.end(`HTTP/1.1 ${status} X\r\nContent-Type: ${type}\r\nConnection: close\r\n\r\n${body}`);
  }
  if (mode === "ws-hang") return;
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = mode === "ws-wrong-key" ? "x" : createHash("sha1").update(key).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  for (const frame of frames[mode] ?? [text(challenge)]) socket.write(frame);
  // Says on standard output what the client says last.
  socket.on("data", (data) => process.stdout.write(`client: ${data.toString("hex")}\n`));
});

const server = net.createServer((socket) => {
  socket.on("error", () => {});
  if (raw[mode]) socket.once("data", () => raw[mode](socket));
  else http.emit("connection", socket);
});
server.listen(Number(process.argv[3] ?? 0), "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));

const commands = readline.createInterface({ input: process.stdin });
commands.on("line", (line) => {
  if (line === "crash") setImmediate(() => { throw new TypeError("crashed on command"); });
  mode = line;
  process.stdout.write("ok\n");
});
commands.on("close", () => process.exit(0));
