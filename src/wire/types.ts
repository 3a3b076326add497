import type { Reader } from './reader.ts'
import type { At, Field } from './schema.ts'
import type { Writer } from './writer.ts'

const type = <T>(read: (r: Reader, at: At) => T, write: (w: Writer, v: T, at: At) => unknown): Field<T> => ({
  read,
  write,
})

export const bool: Field<boolean> = type<boolean>(
  r => r.bool(),
  (w, v) => w.bool(v),
)
export const int8: Field<number> = type<number>(
  r => r.int8(),
  (w, v) => w.int8(v),
)
export const int16: Field<number> = type<number>(
  r => r.int16(),
  (w, v) => w.int16(v),
)
export const int32: Field<number> = type<number>(
  r => r.int32(),
  (w, v) => w.int32(v),
)
export const int64: Field<bigint> = type<bigint>(
  r => r.int64(),
  (w, v) => w.int64(v),
)
export const uint32: Field<number> = type<number>(
  r => r.uint32(),
  (w, v) => w.uint32(v),
)
export const float64: Field<number> = type<number>(
  r => r.float64(),
  (w, v) => w.float64(v),
)
/** 22 characters of base64url. */
export const uuid: Field<string> = type<string>(
  r => r.uuid(),
  (w, v) => w.uuid(v),
)

// Lengths: int16 for strings and int32 for bytes and arrays; a varint of length + 1 in the flexible form.
export const string: Field<string> = type<string>(
  (r, at) => (at.flexible ? r.compactString() : r.string16()),
  (w, v, at) => (at.flexible ? w.compactString(v) : w.string16(v)),
)
export const nullableString: Field<string | null> = type<string | null>(
  (r, at) => (at.flexible ? r.compactNullableString() : r.nullableString16()),
  (w, v, at) => (at.flexible ? w.compactNullableString(v) : w.nullableString16(v)),
)
export const bytes: Field<Buffer> = type<Buffer>(
  (r, at) => (at.flexible ? r.compactBytes() : r.bytes32()),
  (w, v, at) => (at.flexible ? w.compactBytes(v) : w.bytes32(v)),
)
export const nullableBytes: Field<Buffer | null> = type<Buffer | null>(
  (r, at) => (at.flexible ? r.compactNullableBytes() : r.nullableBytes32()),
  (w, v, at) => (at.flexible ? w.compactNullableBytes(v) : w.nullableBytes32(v)),
)
/** Nullable bytes that may be written from pieces: none of the big ones is copied. */
export const pieces: Field<Buffer | null, readonly Buffer[] | Buffer | null> = {
  read: nullableBytes.read,
  write(to, value, at) {
    if (value === null || Buffer.isBuffer(value)) return nullableBytes.write(to, value, at)
    const length = value.reduce((sum, piece) => sum + piece.length, 0)
    if (at.flexible) to.unsignedVarint(length + 1)
    else to.int32(length)
    for (const piece of value) to.splice(piece)
  },
}

export const array = <Out, In>(item: Field<Out, In>): Field<Out[], readonly In[]> => ({
  read: (r, at) => {
    const read = () => item.read(r, at)
    return at.flexible ? r.compactArray(read) : r.array32(read)
  },
  write: (w, v, at) => {
    const write = (each: In) => item.write(w, each, at)
    if (at.flexible) w.compactArray(v, write)
    else w.array32(v, write)
  },
})
export const nullableArray = <Out, In>(item: Field<Out, In>): Field<Out[] | null, readonly In[] | null> => ({
  read: (r, at) => {
    const read = () => item.read(r, at)
    return at.flexible ? r.compactNullableArray(read) : r.nullableArray32(read)
  },
  write: (w, v, at) => {
    const write = (each: In) => item.write(w, each, at)
    if (at.flexible) w.compactNullableArray(v, write)
    else w.nullableArray32(v, write)
  },
})

// Always with an int32 length, for protocols that know no other.
export const string32: Field<string> = type<string>(
  r => r.string32(),
  (w, v) => w.string32(v),
)
export const nullableString32: Field<string | null> = type<string | null>(
  r => r.nullableString32(),
  (w, v) => w.nullableString32(v),
)
export const bytes32: Field<Buffer> = type<Buffer>(
  r => r.bytes32(),
  (w, v) => w.bytes32(v),
)
export const nullableBytes32: Field<Buffer | null> = type<Buffer | null>(
  r => r.nullableBytes32(),
  (w, v) => w.nullableBytes32(v),
)
