import { fail } from "../outcome.ts";
import type { Address } from "./records.ts";
import { retailTool } from "./retail-tool.ts";

export const addressParams = {
	address1: "text",
	address2: "text",
	city: "text",
	state: "text",
	country: "text",
	zip: "text",
} as const;

export function pickAddress({ address1, address2, city, country, state, zip }: Address): Address {
	return { address1, address2, city, country, state, zip };
}

export const modifyUserAddress = retailTool({
	name: "modify_user_address",
	effect: "write",
	params: { user_id: "text", ...addressParams },
	run(db, args) {
		const user = db.user(args.user_id);
		if (!user) return fail("not_found", "User not found");
		const changed = { ...user, address: pickAddress(args) };
		db.putUser(changed);
		return { result: changed };
	},
});

export const transferToHumanAgents = retailTool({
	name: "transfer_to_human_agents",
	// The database stays as it is, but somebody is called: twice would be wrong.
	effect: "write",
	params: { summary: "text" },
	run: () => ({ result: "Transfer successful" }),
});
