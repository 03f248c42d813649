import { existsSync } from "node:fs";
import { quantity } from "../../budgets/call-charges.ts";
import type { Budget, BudgetAccount, BudgetStatus } from "../../spec/budget.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { openAgents, storePath, using } from "../open-harness.ts";
import { dateTime, duration } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import type { Style } from "../render/style.ts";
import { type Cell, tableLines } from "../render/table.ts";
import type { Terminal } from "../terminal.ts";

/** How the budgets of the config stand: those of windows that are over only where something is held there still. */
export async function budgets(invocation: Invocation): Promise<number> {
	const { host, terminal } = invocation;
	const path = storePath(invocation);
	if (!existsSync(path)) {
		const nothing = `Nothing is spent: there is no store at ${shownPath(path, host.cwd)}.`;
		terminal.answer({ budgets: [] }, () => [nothing]);
		return exitCodes.done;
	}
	return using(await openAgents(invocation, { isStoreThere: true }), async ({ harness }) => {
		const all = (await harness.governance.budgets()).map(({ budget, accounts }) => ({
			budget,
			accounts: accounts.filter(({ isCurrent, held }) => isCurrent || held > 0),
		}));
		terminal.answer({ budgets: all }, () => lines(all, terminal));
		return exitCodes.done;
	});
}

function lines(all: readonly BudgetStatus[], terminal: Terminal): readonly string[] {
	if (all.length === 0) return ["The config sets no budgets."];
	return all.flatMap((one, at) => (at > 0 ? ["", ...budgetLines(one, terminal)] : budgetLines(one, terminal)));
}

function budgetLines({ budget, accounts }: BudgetStatus, { style, width }: Terminal): readonly string[] {
	const title = `${style.bold(budget.name)}  ${style.dim(`${shownQuantity(budget)}`)}`;
	if (accounts.length === 0) return [title, "  nothing is used"];
	const fullest = [...accounts].sort((a, b) => a.left - b.left || (a.account < b.account ? -1 : 1));
	const rows = fullest.map((account) => rowOf(budget, account, style));
	// A column with nothing in it says nothing.
	const shown = (_: unknown, at: number): boolean => rows.some((row) => row[at]?.text !== "");
	const cells = rows.map((row) => row.filter(shown));
	return [title, ...tableLines(cells, { style, width, head: head.filter(shown) })];
}

const head = ["used", "", "spent", "held", "left", "overdrawn", "until", "of"];

const barColumns = 10;

function rowOf(budget: Budget, account: BudgetAccount, style: Style): Cell[] {
	const { spent, held, left, overdrawn, window, of } = account;
	const share = (spent + held) / budget.max;
	const colour = left === 0 ? style.red : share >= 0.8 ? style.yellow : style.green;
	const amount = (value: number) => shownAmount(value, budget);
	// What is used is seen to be, and what is left, too.
	const full = left === 0 ? barColumns : Math.min(barColumns - 1, Math.ceil(share * barColumns));
	return [
		{ text: "█".repeat(full) + "░".repeat(barColumns - full), colour },
		{ text: `${left === 0 ? Math.floor(share * 100) : Math.min(99, Math.floor(share * 100))} %` },
		{ text: amount(spent) },
		{ text: held > 0 ? amount(held) : "" },
		{ text: amount(left) },
		{ text: overdrawn > 0 ? amount(overdrawn) : "", colour: style.red },
		{ text: window ? dateTime(window.until) : "" },
		{ text: ownerText(of) },
	];
}

function ownerText(of: BudgetAccount["of"]): string {
	const owners = Object.entries(of).map(([scope, value]) => `${scope} ${value === undefined ? "none" : value}`);
	return inlineText(owners.length > 0 ? owners.join(", ") : "all", 200);
}

function shownQuantity(budget: Budget): string {
	if (budget.counts !== "money" && budget.counts !== "wallMs") return quantity(budget);
	return quantity(budget).replace(/^\d+ (?:micro-USD|ms)/, shownAmount(budget.max, budget));
}

function shownAmount(value: number, { counts }: Budget): string {
	if (counts === "wallMs") return duration(value);
	return counts === "money" ? `${(value / 1e6).toFixed(value % 10_000 === 0 ? 2 : 6)} USD` : String(value);
}
