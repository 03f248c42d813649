import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPublicAddress } from "./public-address.ts";

/** The same list, as arithmetic: [first, last]. */
const special4: readonly (readonly [number, number])[] = [
	"0.0.0.0-0.255.255.255",
	"10.0.0.0-10.255.255.255",
	"100.64.0.0-100.127.255.255",
	"127.0.0.0-127.255.255.255",
	"169.254.0.0-169.254.255.255",
	"172.16.0.0-172.31.255.255",
	"192.0.0.0-192.0.0.255",
	"192.0.2.0-192.0.2.255",
	"192.31.196.0-192.31.196.255",
	"192.52.193.0-192.52.193.255",
	"192.88.99.0-192.88.99.255",
	"192.168.0.0-192.168.255.255",
	"192.175.48.0-192.175.48.255",
	"198.18.0.0-198.19.255.255",
	"198.51.100.0-198.51.100.255",
	"203.0.113.0-203.0.113.255",
	"224.0.0.0-255.255.255.255",
].map((range) => range.split("-").map(toNumber) as [number, number]);

function toNumber(address: string): number {
	return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(value: number): string {
	return [24, 16, 8, 0].map((bits) => Math.floor(value / 2 ** bits) % 256).join(".");
}

const any4 = fc.oneof(
	fc.integer({ min: 0, max: 2 ** 32 - 1 }),
	// The edges of each range, and what lies beside them.
	fc
		.constantFrom(...special4.flatMap(([first, last]) => [first - 1, first, last, last + 1]))
		.filter((at) => at >= 0 && at < 2 ** 32),
);

describe("addresses of the public internet", () => {
	test("IPv4: exactly those that are kept for nothing else", () => {
		fc.assert(
			fc.property(any4, (value) => {
				const isSpecial = special4.some(([first, last]) => value >= first && value <= last);
				expect(isPublicAddress(toAddress(value))).toBe(!isSpecial);
			}),
			{ numRuns: 20_000 },
		);
	});

	test("IPv6: no address of IPv4 is public in the clothes of another one", () => {
		const hex = (value: number): string =>
			`${Math.floor(value / 65_536).toString(16)}:${(value % 65_536).toString(16)}`;
		fc.assert(
			fc.property(any4, (value) => {
				const [dotted, words] = [toAddress(value), hex(value)];
				for (const address of [
					`::ffff:${dotted}`,
					`::ffff:${words}`,
					`::${words}`,
					`::ffff:0:${words}`,
					`64:ff9b::${dotted}`,
					`64:ff9b:1::${words}`,
					`2002:${words}::1`,
					`2001:0:${words}::1`,
				]) {
					expect(isPublicAddress(address), address).toBe(false);
				}
			}),
		);
	});

	test("IPv6: what begins with 001 in bits, and is none of the exceptions", () => {
		const any6 = fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 8, maxLength: 8 });
		fc.assert(
			fc.property(any6, fc.boolean(), (words, isGiven) => {
				const [first = 0, second = 0, third = 0] = words;
				const [lead, ...rest] = [isGiven ? 0x2000 + (first % 0x2000) : first, ...words.slice(1)];
				const isException =
					(lead === 0x2001 && (second < 0x200 || second === 0xdb8)) ||
					lead === 0x2002 ||
					(lead === 0x2620 && second === 0x4f && third === 0x8000) ||
					(lead === 0x3fff && second < 0x1000);
				const address = [lead, ...rest].map((word) => (word as number).toString(16)).join(":");
				expect(isPublicAddress(address)).toBe(((lead as number) & 0xe000) === 0x2000 && !isException);
			}),
			{ numRuns: 10_000 },
		);
	});

	test.each([
		"::1",
		"::",
		"fe80::1",
		"fe80::1%eth0",
		"fc00::1",
		"ff02::1",
		"2001:4860:4860::8888%1",
		"localhost",
		"",
		"1.2.3",
		"0x7f.1",
	])("%j is none", (address) => {
		expect(isPublicAddress(address)).toBe(false);
	});

	test.each(["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::200e"])(
		"%s is one",
		(address) => {
			expect(isPublicAddress(address)).toBe(true);
		},
	);
});
