/**
 * HTML as text that can be read: titles, paragraphs, items, and links with where they lead. One way through the text, whatever
 * it is; it is no parser, and what it makes of broken HTML is only text.
 */

/** What is inside of them is not read by people. */
const unread: ReadonlySet<string> = new Set([
	"script",
	"style",
	"noscript",
	"template",
	"svg",
	"iframe",
	"object",
	"textarea",
	"select",
]);
const blocks: ReadonlySet<string> = new Set(
	"address article aside blockquote br dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tr ul title".split(
		" ",
	),
);
const entities: Readonly<Record<string, string>> = {
	amp: "&",
	lt: "<",
	gt: ">",
	quot: '"',
	apos: "'",
	nbsp: " ",
	ndash: "–",
	mdash: "—",
	hellip: "…",
	laquo: "«",
	raquo: "»",
	lsquo: "‘",
	rsquo: "’",
	ldquo: "“",
	rdquo: "”",
	euro: "€",
	copy: "©",
	reg: "®",
	times: "×",
	middot: "·",
	bull: "•",
	auml: "ä",
	ouml: "ö",
	uuml: "ü",
	Auml: "Ä",
	Ouml: "Ö",
	Uuml: "Ü",
	szlig: "ß",
};

/** Ends soon after `charsMax` characters: what is longer than that is only the beginning. */
export function readableText(html: string, base: string, charsMax: number): string {
	const reader = new Reader(base);
	let at = 0;
	while (at < html.length && reader.chars <= charsMax) {
		const open = html.indexOf("<", at);
		if (open < 0) break;
		reader.text(html.slice(at, open));
		at = reader.markup(html, open);
	}
	if (reader.chars <= charsMax) reader.text(html.slice(at));
	return reader.written();
}

class Reader {
	readonly #base: string;
	readonly #parts: string[] = [];
	#chars = 0;
	/** What parts the last text from the next one. */
	#gap: "" | " " | "\n" = "";
	/** Where the open link leads. */
	#href: string | undefined;
	/** What is now at its end is not found again, however often it is looked for. */
	readonly #missing = new Set<string>();

	constructor(base: string) {
		this.#base = base;
	}

	/** Written so far. */
	get chars(): number {
		return this.#chars;
	}

	text(text: string): void {
		if (text !== "") this.#write(decoded(text).replace(/[\s\u00a0]+/g, " "));
	}

	/** Blanks and empty lines are not kept: they are made where something comes after them. Shape: no other white space. */
	#write(text: string): void {
		if (text.startsWith(" ")) this.#separate(" ");
		const words = text.trim();
		if (words === "") return;
		const part = this.#chars === 0 ? words : this.#gap + words;
		this.#parts.push(part);
		this.#chars += part.length;
		this.#gap = text.endsWith(" ") ? " " : "";
	}

	#separate(gap: " " | "\n"): void {
		if (this.#gap !== "\n") this.#gap = gap;
	}

	/** Reads what begins with `<`; returns where it ends. */
	markup(html: string, open: number): number {
		if (html.startsWith("<!--", open)) return this.#after(html, "-->", open + 4);
		if (!/[a-z/!?]/i.test(html[open + 1] ?? "")) {
			this.text("<");
			return open + 1;
		}
		const end = this.#after(html, ">", open + 1);
		const tag = html.slice(open + 1, end);
		const name = /^\/?([a-z][a-z0-9]*)/i.exec(tag)?.[1]?.toLowerCase();
		if (name === undefined) return end;
		if (!unread.has(name) || tag.startsWith("/")) {
			this.#tag(name, tag);
			return end;
		}
		const close = this.#after(html, `</${name}`, end);
		return this.#after(html, ">", close);
	}

	/** Behind the next one; the end where there is none. Each is looked for in vain only once. */
	#after(html: string, what: string, from: number): number {
		if (this.#missing.has(what)) return html.length;
		const at = what.startsWith("</") ? indexOfTag(html, what, from) : html.indexOf(what, from);
		if (at < 0) this.#missing.add(what);
		return at < 0 ? html.length : at + what.length;
	}

	#tag(name: string, tag: string): void {
		const isEnd = tag.startsWith("/");
		if (name === "a") this.#link(isEnd ? undefined : hrefOf(tag, this.#base));
		if (!blocks.has(name)) {
			if (name === "td" || name === "th") this.#write(isEnd ? "" : " | ");
			return;
		}
		this.#separate("\n");
		if (isEnd) return;
		const level = /^h([1-6])$/.exec(name)?.[1];
		if (level !== undefined) this.#write(`${"#".repeat(Number(level))} `);
		if (name === "li") this.#write("- ");
	}

	#link(href: string | undefined): void {
		if (this.#href !== undefined) this.#write(` (${this.#href})`);
		this.#href = href;
	}

	written(): string {
		return this.#parts.join("");
	}
}

/** The end of an element, in any case. */
function indexOfTag(html: string, tag: string, from: number): number {
	for (let at = html.indexOf("</", from); at >= 0; at = html.indexOf("</", at + 2)) {
		if (html.slice(at, at + tag.length).toLowerCase() === tag) return at;
	}
	return -1;
}

function hrefOf(tag: string, base: string): string | undefined {
	const [, double, single, bare] = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(tag.slice(0, 4_096)) ?? [];
	const href = double ?? single ?? bare;
	if (href === undefined || href.startsWith("#")) return undefined;
	const place = decoded(href).trim();
	// Told before it is parsed, which takes its time.
	if (/^(?!https?:)[a-z][a-z0-9+.-]*:/i.test(place) || !URL.canParse(place, base)) return undefined;
	const url = new URL(place, base);
	return /^https?:$/.test(url.protocol) ? url.href : undefined;
}

function decoded(text: string): string {
	if (!text.includes("&")) return text;
	return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi, (whole: string, ...groups: unknown[]) => {
		const [decimal, hex, name] = groups as (string | undefined)[];
		if (name !== undefined) return Object.hasOwn(entities, name) ? (entities[name] as string) : whole;
		const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
		const isChar = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
		return isChar ? String.fromCodePoint(code) : "\ufffd";
	});
}
