/** `secret`: nobody but the tool and the model sees it. `personal`: whoever must approve the call sees it, too. */
export type Mark = "secret" | "personal";

/** Places of a value that are marked. Shape: JSON pointers, with `*` for any item and any other key. */
export type Marks = { readonly [place: string]: Mark };

/** What the schemas of a tool mark as sensitive. */
export interface ToolMarks {
	/** In its arguments. */
	readonly args?: Marks;
	/** In its result. */
	readonly result?: Marks;
}
