/**
 * A document of the store as a value: sealed, read where it changed, changed by whoever is first.
 *
 * 1. The code covers store, name, revision and text as a whole: no part of it can be changed or left out alone. An older
 *    revision as a whole is noticed by a process that knew a newer one, and else only against the audit.
 * 2. A change is made on the newest revision, and made again where somebody else was faster.
 */
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";
import { noRun, type Store, type StoredDocument, type Write } from "../spec/store.ts";
import type { KeyRing } from "./seal.ts";

export interface DocumentPlace {
	readonly store: Store;
	readonly storeId: string;
	readonly ring: KeyRing;
}

export interface DocumentForm<T> {
	/** Its name in the store. */
	readonly name: string;
	/** How a message calls what it holds, with a capital. */
	readonly what: string;
	/** What it holds before it is written for the first time. */
	readonly empty: T;
}

export class SealedDocument<T> {
	private readonly place: DocumentPlace;
	private readonly form: DocumentForm<T>;
	private rev = 0;
	private known: T;

	constructor(place: DocumentPlace, form: DocumentForm<T>) {
		this.place = place;
		this.form = form;
		this.known = form.empty;
	}

	/** As it was when it was last read. */
	get value(): T {
		return this.known;
	}

	/** Whether it is in the store, as far as it was read. */
	get isThere(): boolean {
		return this.rev > 0;
	}

	/** Reads it where it changed. Errors: `journal.tampered`, `journal.key_missing`, `store.*`. */
	async refresh(): Promise<T> {
		const asked = this.rev;
		const found = await this.place.store.document(this.form.name, asked);
		if (found === "unchanged" || (found === undefined && asked === 0)) return this.known;
		if (found === undefined || found.rev < asked) throw this.tampered("an older one lies in the place of it");
		const value = this.open(found);
		this.know(value, found.rev);
		return this.known;
	}

	/**
	 * `change` is given the newest value and may be asked again; where it returns the same object nothing is written.
	 * `beside`: what goes into the commit of the change.
	 * Errors: `store.conflict` after many tries, and those of `refresh` and `change`.
	 */
	async change(change: (before: T) => T, beside: () => readonly Write[] = () => []): Promise<T> {
		for (let tries = 1; ; tries++) {
			await this.refresh();
			const before = this.known;
			const after = change(before);
			if (after === before) return before;
			const document = this.seal(after, this.rev + 1);
			try {
				await this.place.store.commit(noRun, 0, [{ kind: "document", document }, ...beside()]);
			} catch (error) {
				const isLate = isHoldpointError(error) && error.code === "store.conflict";
				if (!isLate || tries >= fixedLimits.documentTriesMax) throw error;
				continue;
			}
			this.know(after, document.rev);
			return after;
		}
	}

	/** What is read slowly may be older than what is known by then. */
	private know(value: T, rev: number): void {
		if (rev <= this.rev) return;
		this.known = value;
		this.rev = rev;
	}

	private seal(value: T, rev: number): StoredDocument {
		const { ring } = this.place;
		const body = `${ring.current} ${JSON.stringify(value)}`;
		return { name: this.form.name, rev, body, mac: this.code(ring.current, rev, body) };
	}

	private open({ rev, body, mac }: StoredDocument): T {
		const key = /^([A-Za-z0-9_-]{1,32}) /.exec(body)?.[1];
		if (key === undefined || mac !== this.code(key, rev, body)) throw this.tampered("it does not match its seal");
		return JSON.parse(body.slice(key.length + 1)) as T;
	}

	private code(key: string, rev: number, body: string): string {
		const { name, what } = this.form;
		const code = this.place.ring.code(key, `document\n${this.place.storeId}\n${name}\n${rev}\n${body}`);
		if (code !== undefined) return code;
		const message = `${what} of this store are sealed with the key "${key}", which is not here`;
		throw new HoldpointError("journal.key_missing", message, { details: { key } });
	}

	private tampered(why: string): HoldpointError {
		return new HoldpointError("journal.tampered", `${this.form.what} of this store were changed: ${why}`);
	}
}
