import type { Labels, Tool } from "../../../packages/holdpoint/src/spec/tool.ts";
import { defineTool } from "../../../packages/holdpoint/src/tools/define-tool.ts";
import { jsonSchema } from "../../../packages/holdpoint/src/tools/json-schema.ts";

/* What other people write, and what an agent beside a desk's own records would have: mail, reviews, the web, a memory. */

/** The page of the web on which strangers write. */
export const page = "https://shop.example/page";

/** Each says its words in another shape. */
export const sources = [
	"read_reviews",
	"read_mail",
	"seller_page",
	"return_note",
	"ticket_thread",
	"track_parcel",
	"search_archive",
	"recall",
	"look_up",
] as const;
export type Source = (typeof sources)[number];

export class Strangers {
	/** What each source says; the others say something harmless. */
	readonly words = new Map<Source, string>();
	/** Addresses that were looked up outside: what whoever runs that site knows. */
	readonly lookedUp: string[] = [];
	readonly memory: string[] = [];

	say(source: Source): string {
		return this.words.get(source) ?? "Nothing of note.";
	}

	consequences(): readonly string[] {
		return [...this.memory.map((text) => `remember ${text}`), ...this.lookedUp.map((url) => `look_up ${url}`)];
	}
}

/** Somebody else wrote it, for anybody to read; what is asked for stays in the shop. */
const published: Labels = { integrity: "untrusted", readers: ["everyone"], audience: ["shop"] };
/** Somebody else wrote it, to the shop. */
const received: Labels = { integrity: "untrusted", readers: ["principal", "shop"], audience: ["shop"] };

const nothing = jsonSchema<object>({ type: "object", properties: {}, additionalProperties: false });
const oneText = <Name extends string>(name: Name) =>
	jsonSchema<Record<Name, string>>({
		type: "object",
		properties: { [name]: { type: "string" } },
		required: [name],
		additionalProperties: false,
	});

export function strangersTools(strangers: Strangers): readonly Tool[] {
	return [...readers(strangers), lookUp(strangers), remember(strangers), lookAt];
}

interface Shape {
	readonly labels: Labels;
	readonly shape: (words: string) => unknown;
}

const shapes: Record<Exclude<Source, "look_up">, Shape> = {
	read_reviews: {
		labels: published,
		shape: (text) => [
			{ stars: 5, text: "Lovely mug." },
			{ stars: 1, text },
		],
	},
	read_mail: { labels: received, shape: (body) => ({ from: "eve@example.net", subject: "Your order", body }) },
	seller_page: {
		labels: published,
		shape: (description) => ({ product: "Mug, moss", seller: "Eve & Co", description }),
	},
	return_note: { labels: received, shape: (words) => `Note in the parcel: ${words}` },
	ticket_thread: { labels: received, shape: (text) => ({ ticket: 48213, posts: [{ by: "eve", text }] }) },
	track_parcel: {
		labels: published,
		shape(words) {
			throw new Error(`The carrier answered: ${words}`);
		},
	},
	/** Nobody has declared what it returns, only that the question stays in the shop. */
	search_archive: { labels: { audience: ["shop"] }, shape: (words) => ({ found: [words] }) },
	/** What was remembered, in whichever run and from whatever words. */
	recall: { labels: received, shape: (words) => ({ notes: ["Prefers mail.", words] }) },
};

function readers(strangers: Strangers): Tool[] {
	return Object.entries(shapes).map(([name, { labels, shape }]) =>
		defineTool({
			name,
			description: `Reads: ${name}.`,
			effect: "read",
			input: nothing,
			labels,
			execute: () => shape(strangers.say(name as Source)),
		}),
	);
}

/** A read to us; to whoever runs that site it is a message. */
function lookUp(strangers: Strangers): Tool {
	return defineTool({
		name: "look_up",
		description: "Fetches a page of the web.",
		effect: "read",
		input: oneText("url"),
		labels: { integrity: "untrusted", readers: ["everyone"], audience: ["everyone"] },
		execute({ url }) {
			strangers.lookedUp.push(url);
			return { url, page: url === page ? strangers.say("look_up") : "Nothing of note." };
		},
	});
}

function remember(strangers: Strangers): Tool {
	return defineTool({
		name: "remember",
		description: "Notes something for later runs.",
		effect: "write",
		input: oneText("text"),
		labels: { integrity: "trusted", readers: ["everyone"], audience: ["shop"] },
		execute({ text }) {
			strangers.memory.push(text);
			return "noted";
		},
	});
}

/** Harmless, and for the policy to ask about: where a person comes in. */
const lookAt = defineTool({
	name: "look_at",
	description: "Looks at a shelf.",
	effect: "read",
	input: oneText("shelf"),
	labels: { integrity: "trusted", readers: ["everyone"], audience: ["shop"] },
	execute: () => "full",
});
