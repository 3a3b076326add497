const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g

/**
 * The blocks of a PEM text, each in lines of 64 as OpenSSL wants them: in a properties file they may come as one line,
 * which Kafka takes. Old encrypted keys, which carry headers, stay as they are.
 */
export const pemBlocks = (text: string): { label: string; text: string }[] =>
  [...text.matchAll(BLOCK)].map(([whole, label = '', body = '']) => {
    if (body.includes(':')) return { label, text: whole.endsWith('\n') ? whole : `${whole}\n` }
    const lines = body.replace(/\s+/g, '').match(/.{1,64}/g) ?? []
    return { label, text: [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n') }
  })

export const isKey = (label: string): boolean => label.endsWith('PRIVATE KEY')

/** A certificate of DER as PEM. */
export const pemOf = (certificate: Buffer): string =>
  pemBlocks(`-----BEGIN CERTIFICATE-----${certificate.toString('base64')}-----END CERTIFICATE-----`)[0]
    ?.text ?? ''
