/**
 * Grants, kill switches, and which policy and budgets were laid down last: one sealed document of the store, which every
 * run reads.
 *
 * Owns: its form, and how it is changed. Does not own: what a grant is worth (`grant.ts`), how it is kept
 * (`kit/sealed-document.ts`).
 */
import { canonicalJson } from "../kit/canonical-json.ts";
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
	async refresh(): Promise<Standing> {
		const { heard } = this;
		const standing = await this.document.refresh();
		// Until it is read it stays stale: for whoever asks meanwhile, and where reading it failed.
		if (heard === this.heard) this.isStale = false;
		return standing;
	}

	/** Whether it takes no further grant. */
	get isFull(): boolean {
		return withoutEnded(this.standing, this.now()).grants.length >= fixedLimits.standingMax;
	}

	/**
	 * Grants and kill switches are counted apart: no number of grants keeps anybody from switching off.
	 * Errors: `store.conflict` after many tries, `grant.invalid` where it is full, and those of `refresh`.
	 */
	async change(event: StandingEvent): Promise<Standing> {
		const { audit } = this;
		let leaves = 0;
		const beside = (): Write[] => {
			leaves = audit ? 1 : 0;
			return audit ? [audit.standingLeaf(event)] : [];
		};
		const changed = await this.document.change((before) => {
			const changed = applied(before, event);
			// Nothing happened: no leaf says that it did, whatever else has ended meanwhile.
			if (changed === before) return before;
			const after = withoutEnded(changed, this.now());
			if (event.type === "grant.given" && after.grants.length > fixedLimits.standingMax) throw tooManyGrants();
			if (event.type === "switch.thrown" && after.switches.length > fixedLimits.standingMax) throw tooManySwitches();
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

export function tooManyGrants(): HoldpointError {
	return new HoldpointError("grant.invalid", `This store has ${fixedLimits.standingMax} grants already`, {
		hint: "A grant is remembered until it has ended, also where it was revoked: let them end sooner, or cover more with one.",
	});
}

function tooManySwitches(): HoldpointError {
	return new HoldpointError("grant.invalid", `This store has ${fixedLimits.standingMax} kill switches already`, {
		hint: "Switch on again what may run, or switch off everything at once.",
	});
}

/** What an event makes of it; the same object where it changes nothing. */
function applied(standing: Standing, event: StandingEvent): Standing {
	const { grants, switches, policy, budgets } = standing;
	switch (event.type) {
		case "grant.given":
			// The same grant is given once.
			return grants.some(({ id }) => id === event.grant.id)
				? standing
				: { ...standing, grants: [...grants, event.grant] };
		case "grant.revoked": {
			const { grant: id, by, at } = event;
			const isHeld = (grant: Grant) => grant.id === id && !grant.revoked;
			const revoked = (grant: Grant) => (isHeld(grant) ? { ...grant, revoked: { by, at } } : grant);
			return grants.some(isHeld) ? { ...standing, grants: grants.map(revoked) } : standing;
		}
		case "grant.erased": {
			const kept = grants.filter(({ id }) => id !== event.grant);
			return kept.length < grants.length ? { ...standing, grants: kept } : standing;
		}
		case "switch.thrown": {
			const { type: _, ...thrown } = event;
			return { ...standing, switches: [...switches.filter((one) => !isOf(one, event)), thrown] };
		}
		case "switch.released":
			return switches.some((one) => isOf(one, event))
				? { ...standing, switches: switches.filter((one) => !isOf(one, event)) }
				: standing;
		case "policy.changed": {
			const { type: _, ...laid } = event;
			return policy?.version === event.version ? standing : { ...standing, policy: laid };
		}
		case "policy.refused": {
			const { type: _, ...laid } = event;
			return policy?.refused === event.refused
				? standing
				: { ...standing, policy: { ...laid, ...policy, refused: event.refused } };
		}
		case "budgets.changed": {
			const { type: _, ...laid } = event;
			const isSame = canonicalJson(budgets?.budgets ?? []) === canonicalJson(event.budgets);
			return isSame ? standing : { ...standing, budgets: laid };
		}
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
