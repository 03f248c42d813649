import { expect, test } from "vitest";
import { withinDeadline } from "./within-deadline.ts";

test("a job that ends hands its value over, objects included", () => {
	const value = { a: 1 };
	expect(withinDeadline(() => value, 1_000)).toEqual({ done: true, value });
});

test("a loop and a backtracking expression are stopped, and the next job runs", () => {
	const forever = () => {
		for (;;);
	};
	expect(withinDeadline(forever, 20)).toEqual({ done: false });
	expect(withinDeadline(() => /^(a+)+$/.test(`${"a".repeat(60)}!`), 20)).toEqual({ done: false });
	expect(withinDeadline(() => 2, 1_000)).toEqual({ done: true, value: 2 });
});

test("what the job throws is thrown", () => {
	const fault = new TypeError("no");
	const job = () => {
		throw fault;
	};
	expect(() => withinDeadline(job, 1_000)).toThrow(fault);
});
