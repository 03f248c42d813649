/** A person who answered. */
export interface Approver {
	/** Who. */
	readonly id: string;
	/** How the identity is known: `os`, `library`, … */
	readonly via: string;
	/** Roles that this person had when the answer was judged. */
	readonly roles?: readonly string[];
}
