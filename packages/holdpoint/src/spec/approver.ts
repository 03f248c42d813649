import type { Json } from "./json.ts";

/** A person who answered. */
export interface Approver {
	/** Who. */
	readonly id: string;
	/** How the identity is known: `os`, `library`, … */
	readonly via: string;
	/** Roles that this person had when the answer was judged. */
	readonly roles?: readonly string[];
}

/** What a person answers to. */
export interface Answering {
	readonly tool: string;
	/** As the call would be executed: of an edit the edited ones. */
	readonly args: Json;
	readonly agent: string;
	/** On whose behalf. */
	readonly principal: string;
	readonly tenant: string | undefined;
	readonly answer: "approve" | "deny" | "edit";
}

/**
 * Who may approve what. Asked when an answer is left, when the run reads it, and again at the moment of execution. What
 * throws, is late, or answers another shape gives that person no say; a denial counts unless it is refused in so many
 * words.
 */
export interface Approvers {
	/** Recorded with every answer that counts. */
	readonly version: string;
	of(approver: Approver, about: Answering): Authority | string | Promise<Authority | string>;
}

/** A text in its place says why this person's answer counts for nothing here. */
export interface Authority {
	/** Those with which their yes counts for this call. */
	readonly roles: readonly string[];
	/** Why a role that they have otherwise is not among them; said to them where they would have needed it. */
	readonly note?: string;
}
