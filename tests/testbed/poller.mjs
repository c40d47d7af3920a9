// A monitor of the old kind, for scripts/bench to compare with: every 30 seconds it asks systemctl and the gateway.
//
// node poller.mjs UNIT URL: writes a line for each change: the time, and "up" or "down".
import { execFile } from "node:child_process";
import http from "node:http";

const [unit, url] = process.argv.slice(2);
let was;

const isActive = () =>
  new Promise((tell) => execFile("systemctl", ["--user", "is-active", "--quiet", unit], (error) => tell(!error)));

const answers = () =>
  new Promise((tell) => {
    const request = http.get(url, { timeout: 5000 }, (response) => {
      response.resume();
      response.on("end", () => tell(response.statusCode === 200));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => tell(false));
  });

async function poll() {
  const is = (await isActive()) && (await answers()) ? "up" : "down";
  if (is !== was) process.stdout.write(`${(Date.now() / 1000).toFixed(3)} ${is}\n`);
  was = is;
}

setInterval(poll, 30_000);
poll();
