/* Trusted authorities: the system store ROOT, as the account of this process sees it: that of the machine is in it. Any
 * thread. */
#include "os/roots.h"

#include <errno.h>
#include <string.h>

#include <windows.h>
/* behind windows.h */
#include <wincrypt.h>

#include "base/base64.h"
#include "base/mem.h"
#include "os/win32/code.h"

#define SERVER_AUTHENTICATION "1.3.6.1.5.5.7.3.1"
#define SHA1_BYTES 20

/* Whether what the administrator, or Microsoft, says of this root leaves it this purpose. */
static bool vouches_for_servers(PCCERT_CONTEXT cert)
{
	CERT_ENHKEY_USAGE *usage;
	bool found = false;
	DWORD size = 0;

	if (!CertGetEnhancedKeyUsage(cert, CERT_FIND_PROP_ONLY_ENHKEY_USAGE_FLAG, NULL, &size))
		return true; /* nothing is said: for all purposes */
	usage = (CERT_ENHKEY_USAGE *)mem_alloc(size);
	if (usage != NULL && CertGetEnhancedKeyUsage(cert, CERT_FIND_PROP_ONLY_ENHKEY_USAGE_FLAG, usage, &size))
		for (DWORD i = 0; i < usage->cUsageIdentifier && !found; i++)
			found = strcmp(usage->rgpszUsageIdentifier[i], SERVER_AUTHENTICATION) == 0;
	mem_free(usage);
	return found;
}

/* It is among those that shall not be trusted any more. */
static bool is_disallowed(HCERTSTORE disallowed, PCCERT_CONTEXT cert)
{
	BYTE hash[SHA1_BYTES];
	DWORD size = sizeof(hash);
	CRYPT_HASH_BLOB blob = {sizeof(hash), hash};
	PCCERT_CONTEXT found;

	if (disallowed == NULL || !CertGetCertificateContextProperty(cert, CERT_SHA1_HASH_PROP_ID, hash, &size))
		return false;
	found = CertFindCertificateInStore(disallowed, X509_ASN_ENCODING, 0, CERT_FIND_SHA1_HASH, &blob, NULL);
	if (found == NULL)
		return false;
	CertFreeCertificateContext(found);
	return true;
}

static void put_pem(struct str *pem, PCCERT_CONTEXT cert)
{
	str_add_str(pem, "-----BEGIN CERTIFICATE-----\n");
	/* lines of 64 characters are 48 bytes */
	for (DWORD at = 0; at < cert->cbCertEncoded; at += 48) {
		DWORD left = cert->cbCertEncoded - at;

		base64_write(pem, cert->pbCertEncoded + at, left < 48 ? left : 48);
		str_add_char(pem, '\n');
	}
	str_add_str(pem, "-----END CERTIFICATE-----\n");
}

enum system_roots system_roots_read(struct str *pem)
{
	HCERTSTORE roots = CertOpenSystemStoreW(0, L"ROOT"), disallowed = CertOpenSystemStoreW(0, L"Disallowed");
	PCCERT_CONTEXT cert = NULL;

	if (roots == NULL)
		errno = errno_of_code(GetLastError());
	while (roots != NULL && (cert = CertEnumCertificatesInStore(roots, cert)) != NULL)
		if (cert->dwCertEncodingType == X509_ASN_ENCODING && vouches_for_servers(cert) &&
		    !is_disallowed(disallowed, cert))
			put_pem(pem, cert);
	if (disallowed != NULL)
		CertCloseStore(disallowed, 0);
	if (roots != NULL)
		CertCloseStore(roots, 0);
	if (roots != NULL && pem->failed)
		errno = ENOMEM;
	return roots == NULL || pem->failed ? SYSTEM_ROOTS_FAILED : SYSTEM_ROOTS_READ;
}
