/** A receiver of webhooks on this machine, which keeps what it was sent. For this package's own tests. */
import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { WebhookMessage } from "../spec/webhooks.ts";

export const webhookSecret = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;

export interface Received extends WebhookMessage {
	readonly id: string;
	readonly at: number;
	readonly text: string;
	readonly isSigned: boolean;
}

export interface Receiver extends AsyncDisposable {
	readonly url: string;
	readonly received: readonly Received[];
	/** How it answers from now on. Default: 204. */
	answer: (response: ServerResponse, request: IncomingMessage) => void;
	/** No connection is taken any more. */
	shut(): Promise<void>;
	/** Under the same address again. */
	open(): Promise<void>;
}

export async function webhookReceiver(): Promise<Receiver> {
	const received: Received[] = [];
	const server = createServer((request, response) => {
		let text = "";
		request.setEncoding("utf8").on("data", (part: string) => (text += part));
		request.on("end", () => {
			received.push(read(request, text));
			receiver.answer(response, request);
		});
	});
	let port = 0;
	const open = (): Promise<void> => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
	const shut = (): Promise<void> =>
		new Promise((resolve) => {
			server.close(() => resolve());
			server.closeAllConnections();
		});
	await open();
	port = (server.address() as AddressInfo).port;
	const receiver: Receiver = {
		url: `http://127.0.0.1:${port}/hook`,
		received,
		answer: (response) => response.writeHead(204).end(),
		shut,
		open,
		[Symbol.asyncDispose]: async () => {
			if (server.listening) await shut();
		},
	};
	return receiver;
}

function read({ headers }: IncomingMessage, text: string): Received {
	const id = String(headers["webhook-id"]);
	const at = Number(headers["webhook-timestamp"]);
	const key = Buffer.from(webhookSecret.slice("whsec_".length), "base64");
	const expected = createHmac("sha256", key).update(`${id}.${at}.${text}`).digest("base64");
	const isSigned = String(headers["webhook-signature"]).split(" ").includes(`v1,${expected}`);
	return { ...(JSON.parse(text) as WebhookMessage), id, at, text, isSigned };
}
