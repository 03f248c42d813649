/**
 * A process that is killed: `node budget-child.ts <folder> <from> <at>`. It begins twenty-five of a hundred runs at once, all
 * against one budget, or goes on with them, and dies in the payment of that number: it has happened, and its outcome is
 * written nowhere.
 */
import { cashier } from "./budget-scene.ts";

const [folder = "", from = "", at = ""] = process.argv.slice(2);
let paid = 0;
const { run } = cashier(folder, () => {
	if (++paid === Number(at)) process.kill(process.pid, "SIGKILL");
});
await Promise.allSettled(Array.from({ length: 25 }, (_, i) => run(`r${Number(from) + i}`)));
