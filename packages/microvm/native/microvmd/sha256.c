/**
 * SHA-256 (FIPS 180-4). It runs over the whole base image at each start, so it uses the processor's own instructions
 * where there are some: one millisecond instead of ten.
 */
#include "sha256.h"

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t word, unsigned by) {
	return word >> by | word << (32 - by);
}

static uint32_t read_word(const uint8_t *bytes) {
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void expand(const uint8_t *block, uint32_t words[64]) {
	for (size_t i = 0; i < 16; i++) words[i] = read_word(block + i * 4);
	for (unsigned i = 16; i < 64; i++) {
		uint32_t low = words[i - 15];
		uint32_t high = words[i - 2];
		words[i] = words[i - 16] + (turn(low, 7) ^ turn(low, 18) ^ low >> 3) + words[i - 7] +
		           (turn(high, 17) ^ turn(high, 19) ^ high >> 10);
	}
}

static void mix_portable(uint32_t state[8], const uint8_t *block) {
	uint32_t words[64];
	uint32_t s[8];
	expand(block, words);
	memcpy(s, state, sizeof s);
	for (unsigned i = 0; i < 64; i++) {
		uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
		               constants[i] + words[i];
		uint32_t two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
		memmove(s + 1, s, 7 * sizeof s[0]);
		s[4] += one;
		s[0] = one + two;
	}
	for (unsigned i = 0; i < 8; i++) state[i] += s[i];
}

#define WITH_INSTRUCTIONS __attribute__((target("sha,sse4.1")))

/** The next four words of the schedule from the sixteen before them. */
WITH_INSTRUCTIONS static __m128i next_words(const __m128i w[4]) {
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[0], w[1]), _mm_alignr_epi8(w[3], w[2], 4));
	return _mm_sha256msg2_epu32(sum, w[3]);
}

WITH_INSTRUCTIONS static __m128i load_words(const void *from) {
	return _mm_loadu_si128((const __m128i *)from);
}

WITH_INSTRUCTIONS static void mix_with_instructions(uint32_t state[8], const uint8_t *block) {
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i low = _mm_shuffle_epi32(load_words(&state[0]), 0xb1);
	__m128i high = _mm_shuffle_epi32(load_words(&state[4]), 0x1b);
	__m128i abef = _mm_alignr_epi8(low, high, 8);
	__m128i cdgh = _mm_blend_epi16(high, low, 0xf0);
	const __m128i abef_before = abef;
	const __m128i cdgh_before = cdgh;
	__m128i w[4];
	for (size_t i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(load_words(block + i * 16), swap);
	for (size_t i = 0; i < 16; i++) {
		__m128i keyed = _mm_add_epi32(w[0], load_words(&constants[i * 4]));
		__m128i next = next_words(w);
		w[0] = w[1];
		w[1] = w[2];
		w[2] = w[3];
		w[3] = next;
		cdgh = _mm_sha256rnds2_epu32(cdgh, abef, keyed);
		abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(keyed, 0x0e));
	}
	abef = _mm_add_epi32(abef, abef_before);
	cdgh = _mm_add_epi32(cdgh, cdgh_before);
	low = _mm_shuffle_epi32(abef, 0x1b);
	high = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)(void *)&state[0], _mm_blend_epi16(low, high, 0xf0));
	_mm_storeu_si128((__m128i *)(void *)&state[4], _mm_alignr_epi8(high, low, 8));
}

static bool has_instructions(void) {
	unsigned eax, ebx, ecx, edx;
	bool has_sse = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4_1) != 0;
	return has_sse && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & bit_SHA) != 0;
}

static void mix(struct sha256 *hash, const uint8_t *data, size_t blocks) {
	for (; blocks > 0; blocks--, data += 64) hash->mix(hash->state, data);
}

void sha256_begin(struct sha256 *hash) {
	static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	memset(hash, 0, sizeof *hash);
	memcpy(hash->state, first, sizeof first);
	// Asked once: in a virtual machine the question itself costs as much as hashing some pages.
	hash->mix = has_instructions() ? mix_with_instructions : mix_portable;
}

void sha256_add(struct sha256 *hash, const void *data, size_t bytes) {
	const uint8_t *from = data;
	size_t kept = hash->bytes % 64;
	hash->bytes += bytes;
	if (kept > 0) {
		size_t taken = bytes < 64 - kept ? bytes : 64 - kept;
		memcpy(hash->block + kept, from, taken);
		if (kept + taken < 64) return;
		mix(hash, hash->block, 1);
		from += taken;
		bytes -= taken;
	}
	mix(hash, from, bytes / 64);
	memcpy(hash->block, from + bytes / 64 * 64, bytes % 64);
}

void sha256_end(struct sha256 *hash, uint8_t digest[32]) {
	static const uint8_t padding[64] = {0x80};
	uint64_t bits = hash->bytes * 8;
	uint8_t length[8];
	for (unsigned i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
	size_t kept = hash->bytes % 64;
	sha256_add(hash, padding, kept < 56 ? 56 - kept : 120 - kept);
	sha256_add(hash, length, sizeof length);
	for (unsigned i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}
