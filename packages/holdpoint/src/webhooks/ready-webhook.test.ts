import { describe, expect, test } from "vitest";
import type { Webhook } from "../spec/webhooks.ts";
import { readyWebhooks } from "./ready-webhook.ts";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const right: Webhook = { url: "https://example.com/hook", secret };

describe("webhooks", () => {
	test("are made ready: id from the URL, every event, no arguments", () => {
		const [one] = readyWebhooks([right]);
		expect(one).toMatchObject({ hasArguments: false, timeoutMs: 15_000, id: expect.stringMatching(/^[a-z0-9]{12}$/) });
		expect(one?.events.size).toBe(6);
		for (const url of ["http://localhost:1/x", "http://127.0.0.1/x", "http://[::1]:9/x"]) {
			expect(readyWebhooks([{ ...right, url }])).toHaveLength(1);
		}
	});

	test.each<[Partial<Record<keyof Webhook, unknown>>, string]>([
		[{ url: "nowhere" }, "webhooks[0].url is no URL"],
		[{ url: "http://example.com/" }, "webhooks[0].url begins with http://: only https"],
		[{ url: "http://localhost.evil.test/" }, "only https"],
		[{ url: "file:///etc/passwd" }, "only https"],
		[{ url: "https://ann:pw@example.com/" }, "carries a user"],
		[{ secret: undefined }, "webhooks[0].secret is missing"],
		[{ secret: [] }, "webhooks[0].secret is missing"],
		[{ secret: "hunter2" }, "webhooks[0].secret[0] is not `whsec_`"],
		[{ secret: "whsec_AAAA" }, "24 to 64 bytes"],
		[{ secret: [secret, `whsec_${Buffer.alloc(65).toString("base64")}`] }, "webhooks[0].secret[1]"],
		[{ events: ["approval.asked"] }, 'names "approval.asked"; known: approval.requested'],
		[{ events: "all" }, 'names "all"'],
		[{ payload: "everything" }, "webhooks[0].payload"],
		[{ timeoutMs: 0 }, "webhooks[0].timeoutMs"],
	])("with %j are refused, and the message says no secret", (wrong, message) => {
		const make = (): unknown => readyWebhooks([{ ...right, ...wrong } as Webhook]);
		expect(make).toThrow(
			expect.objectContaining({ code: "config.invalid", message: expect.stringContaining(message) }),
		);
		expect(make).not.toThrow(/hunter2/);
	});

	test("twice to one URL are refused: what is pending would be kept under one name", () => {
		expect(() => readyWebhooks([right, { ...right }])).toThrow("webhooks[1].url is there twice");
	});
});
