/** Which values of a field somebody allows: in a standing grant, and in the limits of a role. */
import type { GrantedValue } from "../spec/governance.ts";
import type { Json } from "../spec/json.ts";
import { canonicalJson } from "./canonical-json.ts";

export function isGrantedValue(value: unknown): value is GrantedValue {
	if (value === "any") return true;
	if (typeof value !== "object" || value === null) return false;
	const { is, in: list, min, max } = value as Record<string, unknown>;
	const kinds = Object.keys(value).sort().join();
	if (kinds === "is") return is !== undefined;
	if (kinds === "in") return Array.isArray(list);
	if (kinds !== "max" && kinds !== "max,min") return false;
	return Number.isFinite(max) && (min === undefined || Number.isFinite(min));
}

/** `value` is undefined where the field is not there. */
export function fits(granted: GrantedValue, value: Json | undefined): boolean {
	if (granted === "any") return true;
	if (value === undefined) return false;
	if ("is" in granted) return isSame(granted.is, value);
	if ("in" in granted) return granted.in.some((one) => isSame(one, value));
	return typeof value === "number" && value <= granted.max && value >= (granted.min ?? Number.NEGATIVE_INFINITY);
}

function isSame(a: Json, b: Json): boolean {
	return canonicalJson(a) === canonicalJson(b);
}
