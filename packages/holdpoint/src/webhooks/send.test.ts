import { expect, test } from "vitest";
import { signatureOf } from "./send.ts";

const published = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: '{"test": 2432232314}' };

test("signs as the published test vector of Standard Webhooks says", () => {
	expect(signatureOf([published], message)).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test("signs with each key, so that a receiver can change over", () => {
	const [first, second] = signatureOf([Buffer.alloc(32, 1), published], message).split(" ");
	expect(second).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	expect(first).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
	expect(first).not.toBe(second);
});
