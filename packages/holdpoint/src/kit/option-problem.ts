/** Whether a value fits an option, and what to pass there, as an error says it. */
export type OptionShape = readonly [fits: (value: unknown) => boolean, wanted: string];

export interface OptionProblem {
	/** Stands behind "sets". */
	readonly problem: string;
	readonly hint: string;
}

/** What is wrong with somebody's options: a name that is none of theirs, or a value of another kind. Undefined counts as left out. */
export function optionProblem(
	options: object,
	shapes: { readonly [name: string]: OptionShape },
): OptionProblem | undefined {
	for (const [name, value] of Object.entries(options)) {
		const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
		if (!shape) {
			const problem = `"${name.slice(0, 80)}", which is no option`;
			return { problem, hint: `Known: ${Object.keys(shapes).join(", ")}.` };
		}
		const [fits, wanted] = shape;
		if (value !== undefined && !fits(value)) return { problem: `${name} to ${kindOf(value)}`, hint: `Pass ${wanted}.` };
	}
	return undefined;
}

export const shapes = {
	any: [() => true, "it"],
	text: [(value) => typeof value === "string", "a text"],
	flag: [isFlag, "true or false"],
	list: [Array.isArray, "a list"],
	object: [isObject, "an object"],
	function: [(value) => typeof value === "function", "a function"],
	/** What is on by itself, and has options of its own. */
	flagOrOptions: [(value) => isFlag(value) || isObject(value), "true, false, or its options"],
	offOrOptions: [(value) => value === false || isObject(value), "its options, or false to switch it off"],
} as const satisfies { readonly [kind: string]: OptionShape };

function isFlag(value: unknown): boolean {
	return typeof value === "boolean";
}

function isObject(value: unknown): boolean {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
	if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
	if (Array.isArray(value)) return "a list";
	if (typeof value === "function") return "a function";
	return typeof value === "object" && value !== null ? "an object" : String(value);
}
