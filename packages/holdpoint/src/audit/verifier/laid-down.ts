/** What was laid down for every run, as far as the log has come: policies, and grants with what is left of them. */
import { type Leaf, numberOr } from "./export-lines.ts";

interface Grant {
	/** Undefined: the log did not say that when it was written. */
	readonly tool: unknown;
	readonly agent: unknown;
	readonly expiresAt: number;
	readonly usesMax: number;
	/** Calls that were started with it. */
	used: number;
	isRevoked: boolean;
}

/** The place of what belongs to no run. */
const noRun = "-";

export class LaidDown {
	private readonly grants = new Map<unknown, Grant>();
	private readonly policies = new Set<unknown>();
	/** When the log was first told of a policy: what was decided before rests on none that it knows. */
	private since = Number.MAX_VALUE;
	/** Something of the log is not known. */
	private isHoled = false;

	take({ run, n, at, event }: Leaf): void {
		if (run !== noRun || n !== undefined) return;
		const id = event["grant"];
		switch (event.type) {
			case "grant.given":
				// The same grant is given once: a second giving renews nothing.
				if (!this.grants.has(id)) this.grants.set(id, grantOf(event));
				return;
			case "grant.revoked":
			case "grant.erased": {
				const grant = this.grants.get(id) ?? grantOf({ expiresAt: Number.MAX_VALUE });
				grant.isRevoked = true;
				this.grants.set(id, grant);
				return;
			}
			case "policy.changed":
				this.policies.add(event["version"]);
				this.since = Math.min(this.since, at);
				return;
			default:
		}
	}

	/** Was this policy laid down before something was decided by it? A log from before policies were told knows none. */
	knows(policy: unknown, at: number): boolean {
		return this.isHoled || at < this.since || this.policies.has(policy);
	}

	/** Why a call of this tool may not be started with this grant any more. One that the log does not know is older than it. */
	lost(id: string, at: number): string | undefined {
		const grant = this.grants.get(id);
		return grant && (grant.isRevoked || at >= grant.expiresAt) ? `the grant ${id} held no longer` : undefined;
	}

	/** A call is the first time started with it. Why that is not permitted. */
	use(id: string, made: Made): string | undefined {
		const grant = this.grants.get(id);
		if (!grant) return undefined;
		if (isOther(grant.tool, made.tool)) return `the grant ${id} is for another tool`;
		if (isOther(grant.agent, made.agent)) return `the grant ${id} is for another agent`;
		return ++grant.used > grant.usesMax
			? `the grant ${id} may cover ${grant.usesMax} calls, and had covered them`
			: undefined;
	}

	/** The leaves that were checked are not to be believed: what they laid down is as unknown as what is older than the log. */
	forget(): void {
		this.grants.clear();
		this.isHoled = true;
	}
}

/** Who made a call, and of what. */
interface Made {
	readonly tool: unknown;
	readonly agent: unknown;
}

/** Of what was not said nothing is known. */
function isOther(granted: unknown, made: unknown): boolean {
	return granted !== undefined && made !== undefined && granted !== made;
}

function grantOf({ tool, agent, expiresAt, usesMax }: { readonly [fact: string]: unknown }): Grant {
	return {
		tool,
		agent,
		expiresAt: numberOr(expiresAt, 0),
		usesMax: numberOr(usesMax, Number.MAX_VALUE),
		used: 0,
		isRevoked: false,
	};
}
