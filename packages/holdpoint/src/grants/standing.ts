/**
 * Grants and kill switches: one sealed document of the store, which every run reads.
 *
 * Owns: its form, its seal, and how it is changed. Does not own: what a grant is worth (`grant.ts`).
 *
 * 1. The code covers store, revision and text as a whole: no part of it can be changed or left out alone. An older
 *    revision as a whole is noticed by a process that knew a newer one, and else only against the audit.
 * 2. A change is made on the newest revision, and made again where somebody else was faster.
 */
import type { KeyRing } from "../kit/seal.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { Grant, Standing, StandingEvent, Switch } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import { noRun, type Store, type StoredDocument, type Write } from "../spec/store.ts";

const name = "standing";
const nothing: Standing = { grants: [], switches: [] };

export interface StandingParts {
	readonly store: Store;
	readonly storeId: string;
	readonly ring: KeyRing;
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
	private readonly parts: StandingParts;
	private rev = 0;
	private known = nothing;
	/** Revisions of all documents together, when it was last read after a commit; undefined: never. */
	private heard: number | undefined;
	private isStale = false;

	constructor(parts: StandingParts) {
		this.parts = parts;
	}

	/** As it was when it was last read. */
	get standing(): Standing {
		return this.known;
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
		this.isStale = false;
		const found = await this.parts.store.document(name, this.rev);
		if (found === "unchanged" || (found === undefined && this.rev === 0)) return this.known;
		if (found === undefined || found.rev < this.rev) throw tampered("an older one lies in the place of it");
		this.known = this.open(found);
		this.rev = found.rev;
		return this.known;
	}

	/** Errors: `store.conflict` after many tries, `grant.invalid` where it is full, and those of `refresh`. */
	async change(event: StandingEvent): Promise<Standing> {
		for (let tries = 1; ; tries++) {
			const before = await this.refresh();
			const after = withoutEnded(applied(before, event), this.parts.now());
			if (after.grants.length + after.switches.length > fixedLimits.standingMax) throw tooMany();
			if (after === before) return before;
			const document = this.seal(after, this.rev + 1);
			try {
				const { store, audit } = this.parts;
				await store.commit(noRun, 0, [{ kind: "document", document }, ...(audit ? [audit.standingLeaf(event)] : [])]);
				audit?.wrote(1);
			} catch (error) {
				if (!isHoldpointError(error) || error.code !== "store.conflict" || tries >= fixedLimits.standingTriesMax)
					throw error;
				continue;
			}
			this.known = after;
			this.rev = document.rev;
			return after;
		}
	}

	private seal(standing: Standing, rev: number): StoredDocument {
		const { ring } = this.parts;
		const body = `${ring.current} ${JSON.stringify(standing)}`;
		return { name, rev, body, mac: this.code(ring.current, rev, body) };
	}

	private open({ rev, body, mac }: StoredDocument): Standing {
		const key = /^([A-Za-z0-9_-]{1,32}) /.exec(body)?.[1];
		if (key === undefined || mac !== this.code(key, rev, body)) throw tampered("it does not match its seal");
		return JSON.parse(body.slice(key.length + 1)) as Standing;
	}

	private code(key: string, rev: number, body: string): string {
		const code = this.parts.ring.code(key, `document\n${this.parts.storeId}\n${name}\n${rev}\n${body}`);
		if (code !== undefined) return code;
		const message = `The grants and kill switches of this store are sealed with the key "${key}", which is not here`;
		throw new HoldpointError("journal.key_missing", message, { details: { key } });
	}
}

function withoutEnded(standing: Standing, now: number): Standing {
	if (standing.grants.every((grant) => now < grant.expiresAt)) return standing;
	return { ...standing, grants: standing.grants.filter((grant) => now < grant.expiresAt) };
}

function tampered(why: string): HoldpointError {
	return new HoldpointError("journal.tampered", `The grants and kill switches of this store were changed: ${why}`);
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
