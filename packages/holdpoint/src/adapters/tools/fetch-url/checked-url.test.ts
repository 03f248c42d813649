import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkedUrl, domainRule } from "./checked-url.ts";

const rules = {
	domains: ["example.com", "*.example.org", "api.example.net:8443"].map(domainRule),
	http: false,
	urlCharsMax: 200,
};
const check = (url: string, http = false) => checkedUrl(url, { ...rules, http }).href;

describe("URLs of a model's", () => {
	test.each([
		["https://example.com", "https://example.com/"],
		["https://EXAMPLE.com/a?b=c#d", "https://example.com/a?b=c#d"],
		["https://example.com:443/", "https://example.com/"],
		["https://a.b.example.org/", "https://a.b.example.org/"],
		["https://api.example.net:8443/x", "https://api.example.net:8443/x"],
		["https://example.com/%2e%2e/x", "https://example.com/x"],
	])("%s", (url, href) => {
		expect(check(url)).toBe(href);
	});

	test.each([
		["http://example.com/", "does not begin with https"],
		["ftp://example.com/", "does not begin with https"],
		["file:///etc/passwd", "does not begin with https"],
		["javascript:alert(1)", "does not begin with https"],
		["//example.com/", "is no URL"],
		["", "has a character"],
		["https://user:word@example.com/", "has a name or password"],
		["https://@example.com/", "has a name or password"],
		["https://example.com@evil.example/", "has a name or password"],
		["https://example.com\\@evil.example/", "has a character"],
		["https://example.com /", "has a character"],
		["https://exa\nmple.com/", "has a character"],
		["https://ｅxample.com/", "has a character"],
		["https://example.com。/", "has a character"],
		["https://example.com./", "of a domain that is not allowed"],
		["https://exa%6dple.com/", "writes its host in another way"],
		["https:example.com/", "writes its host in another way"],
		["https:///example.com/", "writes its host in another way"],
		["https://example.com:/", "writes its host in another way"],
		["https://example.com:0443/", "writes its host in another way"],
		["https://example.com:8080/", "of a domain that is not allowed"],
		["https://api.example.net/", "of a domain that is not allowed"],
		["https://example.org/", "of a domain that is not allowed"],
		["https://evilexample.com/", "of a domain that is not allowed"],
		["https://example.com.evil.example/", "of a domain that is not allowed"],
		["https://127.0.0.1/", "names an address"],
		["https://2130706433/", "names an address"],
		["https://0x7f.1/", "names an address"],
		["https://0177.0.0.1/", "names an address"],
		["https://[::1]/", "names an address"],
		["https://[::ffff:127.0.0.1]/", "names an address"],
		["https://localhost/", "of a domain that is not allowed"],
		[`https://example.com/${"x".repeat(300)}`, "longer than 200"],
	])("%j is refused", (url, why) => {
		expect(() => check(url)).toThrow(why);
	});

	test("http only where it is allowed", () => {
		expect(check("http://example.com/", true)).toBe("http://example.com/");
		expect(() => check("http://example.com:443/", true)).toThrow("not allowed");
	});

	test("whatever gets through is of an allowed domain, as it is written", () => {
		const part = fc.constantFrom(
			"https:",
			"http:",
			"/",
			"//",
			"\\",
			"@",
			":",
			"example.com",
			"evil.example",
			".",
			"%2e",
			"#",
			"?",
			"127.0.0.1",
			"[::1]",
			"443",
			"\t",
			"ａ",
		);
		const tail = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));
		const host = fc.oneof(
			fc.webUrl(),
			tail.map((text) => `https://${text}`),
			// One in four of these gets through, hardly any of the others.
			tail.map((text) => `https://example.com${text}`),
		);
		let taken = 0;
		fc.assert(
			fc.property(host, (text) => {
				let url: URL;
				try {
					url = checkedUrl(text, rules);
				} catch {
					return;
				}
				taken++;
				expect(url.hostname).toMatch(/^(example\.com|.+\.example\.org)$/);
				expect([url.protocol, url.username, url.password, url.port, isIP(url.hostname)]).toEqual([
					"https:",
					"",
					"",
					"",
					0,
				]);
				expect(text.toLowerCase().startsWith(`https://${url.hostname}`)).toBe(true);
			}),
			{ numRuns: 10_000 },
		);
		expect(taken).toBeGreaterThan(400);
	});
});

describe("domains", () => {
	test.each(["example.com", "*.example.com", "xn--bcher-kva.example", "example.com:8443"])("%s", (domain) => {
		expect(() => domainRule(domain)).not.toThrow();
	});

	test.each([
		"*",
		"*.com",
		"com",
		"localhost",
		"127.0.0.1",
		"10.1",
		"Example.com",
		"a..b",
		"-a.com",
		"https://a.com",
		"a.com/",
		"a.*.com",
		"*.*.com",
		"a.com:99999",
		"[::1]",
		"bücher.example",
		"",
	])("%j is none", (domain) => {
		expect(() => domainRule(domain)).toThrow("is no domain");
	});
});
