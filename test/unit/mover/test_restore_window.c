/* SPDX-License-Identifier: Apache-2.0 */

/* Windows: what is collected comes out complete, sorted by place in the repository, cut where frames
 * end. */
#include "mover/restore_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct restore_piece
chunk(struct restore_item *item, uint8_t pack, uint32_t frame, uint32_t offset)
{
	return (struct restore_piece){
		.item = item,
		.kind = PIECE_CHUNK,
		.length = 10,
		.file_offset = offset,
		.loc = {.pack = {{pack}}, .frame_offset = frame, .offset = offset, .length = 10},
	};
}

static void
jobs_are_frames_in_order(void **state)
{
	struct restore_item *item = NULL;
	struct restore_window w;
	struct error err = ERROR_INIT;
	enum { N = 6000 };
	uint64_t seed = 1, sum = 0;

	(void)state;
	assert_int_equal(restore_item_new_root("/r", &item, &err), OK);
	assert_int_equal(restore_window_init(&w, &err), OK);
	for (uint32_t i = 0; i < N; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		struct restore_piece p = chunk(item, (uint8_t)(seed >> 40 & 3),
					       (uint32_t)(seed >> 45 & 7), i);
		if (i % 50 == 0)
			p = (struct restore_piece){.item = item, .kind = PIECE_BARE};
		if (i % 50 == 1)
			p.kind = PIECE_DONE;
		else if (i % 50 != 0)
			sum += i;
		restore_window_add(&w, &p, NULL, 0);
	}
	restore_window_cut_write(&w);

	uint64_t found = 0;
	size_t bare = 0;
	for (size_t j = 0; j < w.n_jobs; j++) {
		const struct restore_piece *first = &w.pieces[w.jobs[j]];

		assert_true(w.jobs[j] < w.jobs[j + 1]);
		for (size_t i = w.jobs[j]; i < w.jobs[j + 1]; i++) {
			const struct restore_piece *p = &w.pieces[i];

			assert_int_equal(p->kind, first->kind);
			bare += p->kind == PIECE_BARE;
			found += p->file_offset;
			if (p->kind == PIECE_BARE)
				continue;
			assert_true(blob_loc_same_frame(&p->loc, &first->loc));
			assert_true(i == w.jobs[j] || blob_loc_order(&p[-1].loc, &p->loc) < 0);
		}
		/* Each frame once. */
		if (j > 0 && first->kind == PIECE_CHUNK && first[-1].kind == PIECE_CHUNK)
			assert_false(blob_loc_same_frame(&first[-1].loc, &first->loc));
	}
	assert_true(found == sum);
	assert_int_equal(bare, N / 50);
	assert_int_equal(w.n, N - N / 50);
	restore_window_done(&w);
	restore_item_unref(item);
}

static void
a_blob_of_very_many_files_is_shared_out(void **state)
{
	struct restore_item *item = NULL;
	struct restore_window w;
	struct error err = ERROR_INIT;
	struct restore_piece p;

	(void)state;
	assert_int_equal(restore_item_new_root("/r", &item, &err), OK);
	assert_int_equal(restore_window_init(&w, &err), OK);
	p = chunk(item, 1, 1, 1);
	while (!restore_window_full(&w, 0))
		restore_window_add(&w, &p, NULL, 0);
	assert_int_equal(w.n, RESTORE_WINDOW_PIECES);
	restore_window_cut_write(&w);
	assert_true(w.n_jobs > 4);
	assert_int_equal(w.jobs[w.n_jobs], w.n);
	restore_window_done(&w);
	restore_item_unref(item);
}

static void
windows_close_at_each_limit(void **state)
{
	struct restore_item *item = NULL;
	struct restore_window w;
	struct error err = ERROR_INIT;
	static uint8_t fingerprints[256 * 16];
	struct restore_piece p;

	(void)state;
	memset(fingerprints, 7, sizeof(fingerprints));
	assert_int_equal(restore_item_new_root("/r", &item, &err), OK);
	assert_int_equal(restore_window_init(&w, &err), OK);
	p = (struct restore_piece){
		.item = item, .kind = PIECE_PAGES, .page_shift = 12, .length = 256 << 12};
	assert_int_equal(restore_piece_pages(&p), 256);
	while (!restore_window_full(&w, sizeof(fingerprints)))
		restore_window_add(&w, &p, fingerprints, sizeof(fingerprints));
	assert_int_equal(w.n, RESTORE_WINDOW_BYTES / (256 << 12));
	for (size_t i = 0; i < w.n; i++)
		assert_memory_equal(w.pieces[i].fingerprints, fingerprints, sizeof(fingerprints));

	restore_window_reset(&w, 3);
	assert_false(restore_window_full(&w, 0));
	p.length = 1;
	while (!restore_window_full(&w, 16))
		restore_window_add(&w, &p, fingerprints, 16);
	assert_int_equal(w.n, RESTORE_WINDOW_PIECES >> 3);

	item->xattrs = SLICE(calloc(1, 256 << 10), 256 << 10);
	restore_window_reset(&w, 0);
	while (!restore_window_full(&w, 16))
		restore_window_add(&w, &p, fingerprints, 16);
	assert_true(w.n <= RESTORE_WINDOW_XATTRS / (256 << 10));
	restore_window_done(&w);
	restore_item_unref(item);
}

static void
the_last_page_may_be_short(void **state)
{
	struct restore_piece p = {.kind = PIECE_PAGES, .page_shift = 13, .length = 3 * 8192 + 1};

	(void)state;
	assert_int_equal(restore_piece_pages(&p), 4);
	assert_int_equal(restore_piece_page_length(&p, 0), 8192);
	assert_int_equal(restore_piece_page_length(&p, 3), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_frames_in_order),
		cmocka_unit_test(a_blob_of_very_many_files_is_shared_out),
		cmocka_unit_test(windows_close_at_each_limit),
		cmocka_unit_test(the_last_page_may_be_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
