/** Stories that nobody thought of: what a seed makes of turns, batches, programs and the fate of each call. */
import { calls, program, type Story, type StoryStep, say } from "holdpoint/testing";

/** Numbers that a seed gives: the same ones each time, on every machine. */
export class Dice {
	#state: number;

	constructor(...seeds: readonly number[]) {
		this.#state = seeds.reduce((state, seed) => Math.imul(state ^ (seed + 1), 0x9e3779b1) >>> 0, 0x85ebca6b) || 1;
		// Seeds that lie side by side begin alike.
		for (let i = 0; i < 8; i++) this.roll();
	}

	/** At least 0, less than 1. */
	roll(): number {
		this.#state ^= this.#state << 13;
		this.#state ^= this.#state >>> 17;
		this.#state ^= this.#state << 5;
		this.#state >>>= 0;
		return this.#state / 2 ** 32;
	}

	chance(probability: number): boolean {
		return this.roll() < probability;
	}

	/** A whole number: these two and what lies between. */
	between(least: number, most: number): number {
		return least + Math.floor(this.roll() * (most - least + 1));
	}

	pick<T>(list: readonly [T, ...T[]]): T {
		return list[this.between(0, list.length - 1)] ?? list[0];
	}
}

/** What a tool of the world does; `random-world.ts` says how. */
export const kinds = ["look", "big", "book", "mail", "flaky", "vague", "bad"] as const;
export type Kind = (typeof kinds)[number];

/** Each call carries its own fate, so that it is the same in whichever order calls come. */
export type CallArgs = {
	/** No two calls of a story have the same. */
	readonly n: number;
	/** What the policy says of it. */
	readonly policy: "allow" | "ask" | "deny";
	/** What the person says who is asked. */
	readonly person: "approve" | "deny" | "edit";
	/** What the policy says of it once that person has edited it. */
	readonly edited: "allow" | "ask" | "deny";
};

/** The tool of this kind that the model calls itself; programs have the one that is named like the kind. */
export const directName = (kind: Kind): string => `direct_${kind}`;

/** An approver's other arguments: another thing, which no call of the story asked for. */
export const editOf = (args: CallArgs): CallArgs => ({ ...args, n: args.n + 1000, policy: args.edited });

export interface RandomStory {
	readonly story: Story;
	/** For whoever reads of a failure. */
	readonly told: string;
}

/** The story of a seed: a few answers with calls, programs or both, and a last word. */
export function randomStory(seed: number): RandomStory {
	const writer = new StoryWriter(new Dice(seed));
	const steps = Array.from({ length: writer.dice.between(1, 3) }, () => writer.step());
	return {
		story: (_, n): StoryStep => steps[n]?.step ?? say(`the end, after ${n} answers`),
		told: steps.map(({ told }, n) => `answer ${n}: ${told}`).join("\n"),
	};
}

interface WrittenStep {
	readonly step: StoryStep;
	readonly told: string;
}

class StoryWriter {
	readonly dice: Dice;
	private asked = 0;

	constructor(dice: Dice) {
		this.dice = dice;
	}

	step(): WrittenStep {
		if (this.dice.chance(0.6)) {
			const code = this.program();
			return { step: program(code), told: code };
		}
		const batch = Array.from({ length: this.dice.between(1, 3) }, () => {
			if (this.dice.chance(0.3)) return { tool: "execute_code", args: { code: this.program() } };
			const { kind, args } = this.call();
			return { tool: directName(kind), args };
		});
		return { step: calls(batch), told: JSON.stringify(batch, null, 1) };
	}

	private call(): { readonly kind: Kind; readonly args: CallArgs } {
		const { dice } = this;
		const args = {
			n: ++this.asked,
			policy: dice.pick(["allow", "allow", "allow", "ask", "ask", "deny"] as const),
			person: dice.pick(["approve", "approve", "deny", "edit"] as const),
			edited: dice.pick(["allow", "ask", "ask", "deny"] as const),
		};
		return { kind: dice.pick(kinds), args };
	}

	/** Calls one after the other and side by side, caught, uncaught, and not waited for. */
	private program(): string {
		const lines = Array.from({ length: this.dice.between(1, 4) }, () => this.statement());
		if (this.dice.chance(0.5)) lines.push(this.lastStatements());
		return `
const out = [];
const settle = async (promise) => { try { return await promise } catch (error) { return error.name } };
${lines.join("\n")}
return out.map((one) => (typeof one === "string" ? one.slice(0, 20) : one));`;
	}

	private statement(): string {
		const { dice } = this;
		const roll = dice.roll();
		if (roll < 0.4) return `out.push(await settle(${this.expression()}));`;
		if (roll < 0.75) {
			const side = Array.from({ length: 3 }, () => `settle(${this.expression()})`);
			return `out.push(...(await Promise.all([${side.join(", ")}])));`;
		}
		if (roll < 0.85) return `${this.expression()}.catch(() => {});`;
		if (roll < 0.92) return `console.log("x".repeat(${dice.between(0, 50)}));`;
		return `await ${this.expression()};`;
	}

	/** The end comes with the answer to one call. The other is not waited for, and may not even have begun. */
	private lastStatements(): string {
		const waited = `const waited = settle(${this.expression()});`;
		return `${waited}\n${this.expression()}.catch(() => {});\nout.push(await waited);`;
	}

	private expression(): string {
		const { kind, args } = this.call();
		return `tools.${kind}(${JSON.stringify(args)})`;
	}
}
