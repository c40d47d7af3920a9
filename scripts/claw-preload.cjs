// claw-preload.cjs - says, before a Node.js process ends of it, whether it was an uncaught exception or
// an unhandled rejection, which Node itself does not tell
//
//   node --require /path/to/claw-preload.cjs agent.js
//   Environment="NODE_OPTIONS=--require /path/to/claw-preload.cjs"    in a unit of systemd
//
// One line on standard error, which claw-health(1) reads in the journal:
//
//   claw-preload: {"origin":"unhandledRejection","pid":4711,"name":"Error","message":"…","at":"…"}
//
// With --import it works as well. What a script throws before it first waits is then called a rejection,
// and that of a module always is: Node runs both in a promise.
//
// For agents that are watched, not for the OpenClaw gateway, which tells the two apart by itself and
// does not start where this file is not found. The process behaves as it does without it: nothing is
// caught, nothing is kept from ending, and what goes wrong in here is left at that.
'use strict';

const { writeSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const STDERR = 2;
const LONGEST = 300;

const short = (text) => String(text).split('\n', 1)[0].slice(0, LONGEST);

// The first line of a stack that is no part of Node or of a package.
const ownLine = (stack) => {
	const frames = String(stack).split('\n').map((line) => line.trim()).filter((line) => line.startsWith('at '));
	const own = frames.find((line) => !/node:|node_modules\/|<anonymous>\)/.test(line) && line.includes(':'));
	return own === undefined ? undefined : short(own.slice('at '.length));
};

// Somebody who catches it decides what becomes of the process.
const isCaught = () =>
	process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback();

const tell = (error, origin) => {
	if (isCaught()) {
		return;
	}
	const isError = error instanceof Error;
	const line = JSON.stringify({
		origin,
		pid: process.pid,
		name: isError ? short(error.name) : undefined,
		message: isError ? short(error.message) : short(error),
		at: isError ? ownLine(error.stack) : undefined,
	});
	writeSync(STDERR, `claw-preload: ${line}\n`);
};

// What a worker does not catch is an event of the process that has it.
if (isMainThread) {
	process.on('uncaughtExceptionMonitor', (error, origin) => {
		try {
			tell(error, origin);
		} catch {
			// There is nobody left to tell.
		}
	});
}
