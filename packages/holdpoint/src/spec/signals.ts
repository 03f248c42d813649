import type { Approver, Outcome } from "./events.ts";
import type { GrantTerms } from "./governance.ts";
import type { Json } from "./json.ts";

/** What somebody outside may tell a run. Stored even if nobody waits; the run's one writer turns it into events. */
export type Signal =
	| {
			readonly kind: "answer";
			readonly approval: string;
			readonly answer: "approve" | "deny" | "edit";
			/** I5: what the approver saw. Another digest than the held call's is worth nothing. */
			readonly digest: string;
			readonly by: Approver;
			readonly at: number;
			readonly reason?: string;
			readonly args?: Json;
			/** A standing grant that goes with a yes. */
			readonly always?: GrantTerms;
			/** Answers rows of the rehearsal that the approver saw, whose digest this is. */
			readonly rehearsal?: { readonly digest: string; readonly rows: readonly number[]; readonly inOrder?: true };
	  }
	| { readonly kind: "rehearse"; readonly call: string; readonly by: string; readonly at: number }
	| {
			readonly kind: "settle";
			readonly call: string;
			readonly outcome: Outcome;
			readonly by: Approver;
			readonly at: number;
	  }
	| { readonly kind: "message"; readonly text: string; readonly mode: "turn" | "queue"; readonly at: number }
	| { readonly kind: "cancel"; readonly by: string; readonly reason?: string; readonly at: number };
