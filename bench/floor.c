/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The floor: the work no backup can do without, and nothing else. Reads every file below a folder in
 * blocks of 1 MiB, and for each block: SHA-256, zstd, AES-256-GCM, append to one file; one fdatasync at
 * the end. No index, no deduplication, no restore: a bound for `make bench`, not an engine.
 *
 *	floor FOLDER OUTPUT LEVEL THREADS
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <zstd.h>

enum { BLOCK = 1 << 20, TAKE = 8, TAG = 16, NONCE = 12, HASH = 32, THREADS_MAX = 64 };

struct block {
	char *path; /* shared by the blocks of a file */
	off_t offset;
	size_t size;
};

static struct {
	struct block *blocks;
	size_t n, cap;
	atomic_size_t next; /* first block nobody has taken */
	atomic_llong end; /* of the output */
	int out;
	int level;
} job;

static void
die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
check(bool good, const char *what)
{
	if (!good)
		die(what);
}

static int
add_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	off_t offset = 0;
	char *copy;

	(void)where;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	copy = strdup(path);
	check(copy != NULL, "strdup");
	do {
		off_t left = st->st_size - offset;

		if (job.n == job.cap) {
			job.cap = job.cap ? 2 * job.cap : 4096;
			job.blocks = realloc(job.blocks, job.cap * sizeof(*job.blocks));
			check(job.blocks != NULL, "realloc");
		}
		job.blocks[job.n++] = (struct block){
			.path = copy,
			.offset = offset,
			.size = (size_t)(left < BLOCK ? left : BLOCK),
		};
		offset += BLOCK;
	} while (offset < st->st_size);
	return 0;
}

/* Seal n bytes with a nonce taken from the hash; returns the sealed size. */
static size_t
seal(EVP_CIPHER_CTX *cipher, const unsigned char *hash, const void *in, size_t n,
     unsigned char *out)
{
	int len = 0;
	int rest = 0;

	check(EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, hash) == 1 &&
		      EVP_EncryptUpdate(cipher, out, &len, in, (int)n) == 1 &&
		      EVP_EncryptFinal_ex(cipher, out + len, &rest) == 1 &&
		      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG, out + len) == 1,
	      "seal");
	return (size_t)len + TAG;
}

static void *
work(void *unused)
{
	size_t bound = ZSTD_compressBound(BLOCK);
	unsigned char *plain = malloc(BLOCK);
	unsigned char *packed = malloc(bound);
	unsigned char *sealed = malloc(bound + TAG);
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	unsigned char key[32] = {1};
	unsigned char hash[HASH];
	const char *open_path = NULL;
	int fd = -1;

	(void)unused;
	check(plain && packed && sealed && zstd && cipher, "set up");
	check(EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, NULL) == 1, "set up");

	for (;;) {
		size_t first = atomic_fetch_add(&job.next, TAKE);

		if (first >= job.n)
			break;
		for (size_t i = first; i < first + TAKE && i < job.n; i++) {
			const struct block *b = &job.blocks[i];

			if (b->path != open_path) {
				if (fd >= 0)
					close(fd);
				fd = open(b->path, O_RDONLY | O_CLOEXEC);
				check(fd >= 0, b->path);
				open_path = b->path;
				(void)posix_fadvise(fd, b->offset, TAKE * BLOCK,
						    POSIX_FADV_WILLNEED);
			}
			ssize_t got = pread(fd, plain, b->size, b->offset);
			check(got >= 0, b->path);
			if (got == 0)
				continue;
			check(EVP_Digest(plain, (size_t)got, hash, NULL, EVP_sha256(), NULL) == 1,
			      "hash");
			size_t n = ZSTD_compressCCtx(zstd, packed, bound, plain, (size_t)got,
						     job.level);
			check(!ZSTD_isError(n), "compress");
			n = seal(cipher, hash, packed, n, sealed);
			long long at = atomic_fetch_add(&job.end, (long long)n);
			check(pwrite(job.out, sealed, n, at) == (ssize_t)n, "write");
		}
	}
	if (fd >= 0)
		close(fd);
	ZSTD_freeCCtx(zstd);
	EVP_CIPHER_CTX_free(cipher);
	free(plain);
	free(packed);
	free(sealed);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	long n;

	if (argc != 5) {
		fprintf(stderr, "usage: floor FOLDER OUTPUT LEVEL THREADS\n");
		return 2;
	}
	job.level = (int)strtol(argv[3], NULL, 10);
	n = strtol(argv[4], NULL, 10);
	if (n < 1 || n > THREADS_MAX)
		n = 1;
	job.out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(job.out >= 0, argv[2]);
	check(nftw(argv[1], add_file, 64, FTW_PHYS) == 0, argv[1]);

	for (long i = 0; i < n; i++)
		check(pthread_create(&threads[i], NULL, work, NULL) == 0, "start a thread");
	for (long i = 0; i < n; i++)
		check(pthread_join(threads[i], NULL) == 0, "join a thread");
	check(fdatasync(job.out) == 0, "sync");
	printf("%zu blocks, %lld bytes\n", job.n, (long long)job.end);
	return 0;
}
