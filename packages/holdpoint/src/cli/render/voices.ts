import type { Style } from "./style.ts";

/** A name in the colour that it has everywhere, by the order in which names are first heard. */
export type Voices = (name: string) => string;

export function createVoices(style: Style): Voices {
	const colours = [style.cyan, style.magenta, style.blue];
	const heard = new Map<string, number>();
	return (name) => {
		const at = heard.get(name) ?? heard.size;
		heard.set(name, at);
		return colours[at % colours.length]?.(name) ?? name;
	};
}
