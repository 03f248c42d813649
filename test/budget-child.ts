/**
 * A process that is killed: `node budget-child.ts <folder> <name> <at>`. It begins forty runs at once, all against one
 * budget, and dies in the payment of that number: it has happened, and its outcome is written nowhere.
 */
import { cashier } from "./budget-scene.ts";

const [folder = "", name = "", at = ""] = process.argv.slice(2);
let paid = 0;
const { run } = cashier(folder, () => {
	if (++paid === Number(at)) process.kill(process.pid, "SIGKILL");
});
await Promise.all(Array.from({ length: 40 }, (_, i) => run(`${name}-${i}`)));
