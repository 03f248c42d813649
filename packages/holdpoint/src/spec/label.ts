/** What is known of data: of a result, of all that a model or a program has seen. Left out: nothing is wrong with it. */
export interface Label {
	/** Somebody else's words may be in it: the first call that brought them, `edit` for arguments that a person changed, or `memory` for its index. */
	readonly untrusted?: string;
	/** Only these may read it; left out: everyone. */
	readonly readers?: readonly string[];
	/** Some tool does not say who may read it: that only the principal may is assumed. */
	readonly assumed?: true;
}

/** What is done about labels. */
export interface LabelRules {
	/** A call that changes something, once untrusted data was read. Default: one person is asked. */
	readonly untrusted?: "ask" | "deny";
	/** A call that sends data where others than its readers see it. Default: `deny` where all that it rests on is declared, else `ask`. */
	readonly confidential?: "ask" | "deny";
	/** Who may read what users say to an agent. Default: everyone. */
	readonly input?: readonly string[];
}
