/** A result that comes after its call had read as pending enters the conversation as words to the agent: a note. */

/** `said`: what came of it, behind a colon. `id`: of the call, as its model knows it. */
export function resultNote({ tool, id, said }: { readonly tool: string; readonly id: string; readonly said: string }) {
	return `${begin}${tool} (${id})${said}]`;
}

const begin = "[Result of the pending call ";
const pattern = /^\S+ \((\S+)\)(?=: | \()/;

/** Whose result a text is; undefined: it is no note. A person may have written the same words. */
export function callOfNote(text: string): string | undefined {
	return text.startsWith(begin) ? pattern.exec(text.slice(begin.length, begin.length + idsCharsMax))?.[1] : undefined;
}

const idsCharsMax = 1_000;
