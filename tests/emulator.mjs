// A Bot API that somebody else wrote: telegram-test-api, installed in FOLDER, on PORT.
//
//   node emulator.mjs FOLDER PORT TOKEN
//
// Prints 'ready'. To each line on its standard input it prints what it holds, asked by its own client.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [folder, port, token] = process.argv.slice(2);
const TelegramServer = createRequire(`${folder}/`)('telegram-test-api');
const server = new TelegramServer({ port: Number(port), host: '127.0.0.1', storeTimeout: 3600 });
await server.start();
const client = server.getClient(token, { timeout: 5000 });
console.log('ready');
for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await client.getUpdatesHistory()));
}
process.exit();
