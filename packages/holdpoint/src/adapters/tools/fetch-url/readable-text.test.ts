import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readableText } from "./readable-text.ts";

const read = (html: string): string => readableText(html, "https://example.com/a/", 1_000_000);

describe("HTML as text", () => {
	test("a page", () => {
		const html = `<!doctype html><html><head><title>Shop &amp; Co</title><style>p { color: red }</style>
			<script>if (1 < 2) document.write("<p>no</p>")</script></head><body><!-- <p>hidden</p> -->
			<h2>Terms</h2><p>Read   <b>this</b>,<br>please.</p><ul><li>One<li><a href="../two?x=1&amp;y=2">Two</a></ul>
			<table><tr><td>a</td><td>b</td></tr></table><p>3 &lt; 4 &#8364; &#x1F600; &unknown; &constructor;</p></body></html>`;
		expect(read(html)).toBe(
			[
				"Shop & Co",
				"## Terms",
				"Read this,",
				"please.",
				"- One",
				"- Two (https://example.com/two?x=1&y=2)",
				"| a | b",
				"3 < 4 € 😀 &unknown; &constructor;",
			].join("\n"),
		);
	});

	test.each([
		["a < b and c > d", "a < b and c > d"],
		["<p>one", "one"],
		["<p", ""],
		["<script>never closed <p>x</p>", ""],
		["<SCRIPT>x</ScRiPt >on", "on"],
		["<!-- never closed", ""],
		['<a href="javascript:alert(1)">x</a>', "x"],
		["<a href='#top'>x</a>", "x"],
		['<a href=" mailto:a@b.example">x</a>', "x"],
		["<a href=&#47;&#47;[>x</a>", "x"],
		["<a href=/y>x</a>", "x (https://example.com/y)"],
		["&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"],
		["<p>&lt;script&gt;</p>", "<script>"],
	])("%j", (html, text) => {
		expect(read(html)).toBe(text);
	});

	test("I8: whatever it is, it ends, and what is between scripts is not in it", () => {
		const part = fc.constantFrom(
			"<",
			">",
			"</",
			"<!--",
			"-->",
			"<script>",
			"</script>",
			"<a href=",
			'"',
			"'",
			"&",
			"&#",
			"p",
			" ",
			"</p>",
			"<p>",
		);
		fc.assert(
			fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
				expect(typeof read(parts.join(""))).toBe("string");
				expect(read(`<script>${parts.join("").replaceAll("</script>", "")}SECRET</script>`)).not.toContain("SECRET");
			}),
		);
		for (const piece of ["<", "<script>", "<!--", "<a href='", "&", "</script", "<p ", "<style></script>"])
			read(piece.repeat(200_000));
	});

	test("I8: it ends with what is kept, however long each link would be", () => {
		const base = `https://example.com/${"x/".repeat(999)}`;
		for (const piece of ["<a href=x>", "<p>word", "<td>", "<li>"]) {
			const text = readableText(piece.repeat(200_000), base, 10_000);
			expect(text.length).toBeGreaterThan(10_000);
			expect(text.length).toBeLessThan(13_000);
		}
		// What is not kept does not count.
		expect(readableText(`${"<p> </p>".repeat(20_000)}end`, base, 10)).toBe("end");
	});
});
