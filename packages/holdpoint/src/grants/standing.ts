/**
 * Grants and kill switches: one sealed document of the store, which every run reads.
 *
 * Owns: its form, and how it is changed. Does not own: what a grant is worth (`grant.ts`), how it is kept
 * (`kit/sealed-document.ts`).
 */
import { type DocumentPlace, SealedDocument } from "../kit/sealed-document.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Grant, Standing, StandingEvent, Switch } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Write } from "../spec/store.ts";

const form = {
	name: "standing",
	what: "The grants and kill switches",
	empty: { grants: [], switches: [] } as Standing,
};

export interface StandingParts extends DocumentPlace {
	readonly now: () => number;
	/** Undefined: nothing is audited. */
	readonly audit?: StandingAudit | undefined;
}

/** The leaf of a change, which goes into its commit. */
export interface StandingAudit {
	standingLeaf(event: StandingEvent): Write;
	wrote(leaves: number): void;
}

export class StandingDocument {
	private readonly now: () => number;
	private readonly audit: StandingAudit | undefined;
	private readonly document: SealedDocument<Standing>;
	/** Revisions of all documents together, when it was last read after a commit; undefined: never. */
	private heard: number | undefined;
	private isStale = false;

	constructor({ now, audit, ...place }: StandingParts) {
		this.now = now;
		this.audit = audit;
		this.document = new SealedDocument(place, form);
	}

	/** As it was when it was last read. */
	get standing(): Standing {
		return this.document.value;
	}

	/** What a commit says of the documents: it may have changed. */
	hear(documents: number): void {
		if (documents === this.heard) return;
		this.heard = documents;
		this.isStale = true;
	}

	/** Undefined: it is as it was when the last commit was made. */
	refreshIfStale(): Promise<Standing> | undefined {
		return this.isStale ? this.refresh() : undefined;
	}

	/** Reads it where it changed. Errors: `journal.tampered`, `journal.key_missing`, `store.*`. */
	refresh(): Promise<Standing> {
		this.isStale = false;
		return this.document.refresh();
	}

	/** Errors: `store.conflict` after many tries, `grant.invalid` where it is full, and those of `refresh`. */
	async change(event: StandingEvent): Promise<Standing> {
		this.isStale = false;
		const { audit } = this;
		let leaves = 0;
		const beside = (): Write[] => {
			leaves = audit ? 1 : 0;
			return audit ? [audit.standingLeaf(event)] : [];
		};
		const changed = await this.document.change((before) => {
			const after = withoutEnded(applied(before, event), this.now());
			if (after.grants.length + after.switches.length > fixedLimits.standingMax) throw tooMany();
			return after;
		}, beside);
		if (leaves > 0) audit?.wrote(leaves);
		return changed;
	}
}

function withoutEnded(standing: Standing, now: number): Standing {
	const isKept = ({ expiresAt }: Grant): boolean => now < expiresAt + fixedLimits.standingGraceMs;
	return standing.grants.every(isKept) ? standing : { ...standing, grants: standing.grants.filter(isKept) };
}

function tooMany(): HoldpointError {
	return new HoldpointError(
		"grant.invalid",
		`This store has ${fixedLimits.standingMax} grants and kill switches already`,
		{
			hint: "Revoke grants that are not needed, and switch on again what may run.",
		},
	);
}

/** What an event makes of it; the same object where it changes nothing. */
function applied(standing: Standing, event: StandingEvent): Standing {
	const { grants, switches } = standing;
	switch (event.type) {
		case "grant.given":
			// The same grant is given once.
			return grants.some(({ id }) => id === event.grant.id) ? standing : { grants: [...grants, event.grant], switches };
		case "grant.revoked": {
			const { grant: id, by, at } = event;
			const revoked = (grant: Grant) => (grant.id === id && !grant.revoked ? { ...grant, revoked: { by, at } } : grant);
			return { grants: grants.map(revoked), switches };
		}
		case "switch.thrown": {
			const { type: _, ...thrown } = event;
			return { grants, switches: [...switches.filter((one) => !isOf(one, event)), thrown] };
		}
		case "switch.released":
			return switches.some((one) => isOf(one, event))
				? { grants, switches: switches.filter((one) => !isOf(one, event)) }
				: standing;
	}
}

function isOf(one: Switch, { of, name }: Pick<Switch, "of" | "name">): boolean {
	return one.of === of && one.name === name;
}

/** The kill switch that stops this call, if one does. */
export function switchFor(
	{ switches }: Standing,
	call: { readonly tool: string; readonly agent: string; readonly tenant: string | undefined },
): Switch | undefined {
	return switches.find(({ of, name }) => of === "all" || call[of] === name);
}
