/**
 * One process at a time, without a lock file that could go stale: the lock is a listening socket in Linux's abstract
 * namespace, which the kernel closes when its owner ends, however it ends. Whoever waits is connected to it and wakes
 * when that connection closes.
 */
import { createHash } from "node:crypto";
import { connect, createServer } from "node:net";

/** Runs `work` while no other process on this machine runs work under the same name. */
export async function withLock(name, work, onWait = () => {}) {
	const path = `\0holdpoint-${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
	let server = await tryListen(path);
	if (server === undefined) onWait();
	while (server === undefined) {
		await untilReleased(path);
		server = await tryListen(path);
	}
	try {
		return await work();
	} finally {
		server.release();
	}
}

/** The held lock, or nothing when another process holds it. */
function tryListen(path) {
	return new Promise((resolve, reject) => {
		const waiting = new Set();
		const server = createServer((socket) => {
			waiting.add(socket);
			socket.on("error", () => {});
			socket.on("close", () => waiting.delete(socket));
			socket.resume();
		});
		server.once("error", (error) => (error.code === "EADDRINUSE" ? resolve(undefined) : reject(error)));
		server.listen({ path }, () => {
			server.unref();
			resolve({
				release() {
					server.close();
					for (const socket of waiting) socket.destroy();
				},
			});
		});
	});
}

function untilReleased(path) {
	return new Promise((resolve) => {
		const socket = connect({ path });
		socket.on("error", () => {});
		socket.on("close", resolve);
		socket.resume();
	});
}
