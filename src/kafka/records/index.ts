export { CODECS, type Codec, compress, decompress, decompressOldLz4 } from './codecs.ts'
export { crcOf, patchHeader } from './crc.ts'
export {
  AT,
  ATTRIBUTE,
  type BatchHeader,
  HEADER,
  headers,
  isWhole,
  type ProducerStamp,
  readHeader,
  sequenceOf,
  sizeOfBatch,
} from './header.ts'
export { type OldMessages, oldMessages } from './old-format.ts'
export { PAD_RECORDS, padBatch } from './padding.ts'
export {
  type BatchLimit,
  type Hole,
  type Piece,
  type Recoded,
  type RecodeOptions,
  type Run,
  recode,
} from './recode.ts'
export {
  checkCrc,
  encodeBatch,
  type KafkaRecord,
  type NewRecord,
  NO_PRODUCER,
  type RecordHeader,
  recordsOf,
} from './records.ts'
export type { Body } from './rewrite.ts'
export type { Aborted } from './transactions.ts'
export { readVarint, varint } from './varint.ts'
