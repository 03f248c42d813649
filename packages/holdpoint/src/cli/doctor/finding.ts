/** What the doctor found about one thing. */
export interface Finding {
	readonly name: string;
	/** `bad`: something that is needed does not work. `note`: worth knowing. */
	readonly state: "ok" | "note" | "bad";
	readonly says: string;
	/** What to do, where there is something to do. */
	readonly mend?: string;
	/** The same for machines. */
	readonly facts?: Readonly<Record<string, unknown>>;
}
