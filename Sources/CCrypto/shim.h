#pragma once
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stddef.h>

// Asked for the password of an encrypted key, which is not supported: it would be asked for on the terminal.
static inline int bb_no_password(char *buffer, int size, int writing, void *data) {
  (void)buffer, (void)size, (void)writing, (void)data;
  return -1;
}

/// Reads an ed25519 key in PEM, private or public; null when it is none.
static inline EVP_PKEY *bb_read_key(const void *pem, int size, int is_private) {
  BIO *source = BIO_new_mem_buf(pem, size);
  if (!source) return NULL;
  EVP_PKEY *key = is_private ? PEM_read_bio_PrivateKey(source, NULL, bb_no_password, NULL)
                             : PEM_read_bio_PUBKEY(source, NULL, bb_no_password, NULL);
  BIO_free(source);
  if (key && EVP_PKEY_id(key) != EVP_PKEY_ED25519) {
    EVP_PKEY_free(key);
    return NULL;
  }
  return key;
}
