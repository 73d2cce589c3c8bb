/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 by OpenSSL. The private key stands in a PEM file (PKCS #8), so that its owner's tools know it. */
#include "consent/signing.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent/ledger_files.h"
#include "proto/base/check.h"

struct note_signer {
    struct note_key key;
    EVP_PKEY *private_key;
};

static enum err check_mode(FILE *file, const char *path, const char **ret_why)
{
    struct stat status;
    if (fstat(fileno(file), &status) == 0 && (status.st_mode & 077) == 0)
        return ERR_OK;
    *ret_why = ledger_why("%s: others may read it; run: chmod 600 on it", path);
    return ERR_DENIED;
}

enum err note_signer_read(const char *path, const char *name, struct note_signer **ret_signer,
                          const char **ret_why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        *ret_why = ledger_why("%s: %s", path, strerror(errno));
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    char password[] = ""; /* or OpenSSL would ask on the terminal */
    enum err err = check_mode(file, path, ret_why);
    EVP_PKEY *private_key = err == ERR_OK ? PEM_read_PrivateKey(file, NULL, NULL, password) : NULL;
    fclose(file);
    struct note_signer *signer = check_calloc(1, sizeof *signer);
    size_t length = NOTE_PUBLIC_KEY_SIZE;
    signer->private_key = private_key;
    snprintf(signer->key.name, sizeof signer->key.name, "%s", name);
    if (err == ERR_OK &&
        (private_key == NULL || EVP_PKEY_get_id(private_key) != EVP_PKEY_ED25519 ||
         EVP_PKEY_get_raw_public_key(private_key, signer->key.public_key, &length) != 1)) {
        *ret_why =
            ledger_why("%s does not hold an Ed25519 key in PEM: restore it from a backup", path);
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK)
        *ret_signer = signer;
    else
        note_signer_free(signer);
    return err;
}

const struct note_key *note_signer_key(const struct note_signer *signer)
{
    return &signer->key;
}

void note_signer_free(struct note_signer *signer)
{
    if (signer == NULL)
        return;
    EVP_PKEY_free(signer->private_key);
    free(signer);
}

static bool write_key(int fd)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    FILE *file = key == NULL ? NULL : fdopen(fd, "we");
    bool good = file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                fflush(file) == 0 && fsync(fd) == 0;
    if (file == NULL)
        close(fd);
    else
        good = fclose(file) == 0 && good;
    EVP_PKEY_free(key);
    return good;
}

/* Under another name until it is whole: a crash leaves no half key behind. */
enum err note_signer_make(const char *path, const char **ret_why)
{
    char *fresh = check_malloc(strlen(path) + sizeof ".new"), *copy = check_strdup(path);
    sprintf(fresh, "%s.new", path);
    (void)unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = ERR_OK;
    if (fd < 0 || !write_key(fd) || folder < 0 || rename(fresh, path) != 0 || fsync(folder) != 0) {
        *ret_why = ledger_why("%s cannot be made: %s", path, strerror(errno));
        err = err_from_errno();
    }
    if (folder >= 0)
        close(folder);
    free(copy);
    free(fresh);
    return err;
}

void note_signer_signature(const struct note_signer *signer, struct span text,
                           uint8_t out[NOTE_SIGNATURE_SIZE])
{
    size_t length = NOTE_SIGNATURE_SIZE;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL &&
          EVP_DigestSignInit(context, NULL, NULL, NULL, signer->private_key) == 1 &&
          EVP_DigestSign(context, out, &length, text.data, text.length) == 1);
    EVP_MD_CTX_free(context);
}

bool note_signature_holds(struct span text, const uint8_t signature[NOTE_SIGNATURE_SIZE],
                          const uint8_t public_key[NOTE_PUBLIC_KEY_SIZE])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, NOTE_PUBLIC_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        key != NULL && context != NULL &&
        EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestVerify(context, signature, NOTE_SIGNATURE_SIZE, text.data, text.length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return good;
}
