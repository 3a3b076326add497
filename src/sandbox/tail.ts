import { open } from 'node:fs/promises'

const WINDOW = 64 << 10

/** The last lines of a file, or why it can't be read. */
export const tailOf = async (path: string, lines: number): Promise<string> => {
  try {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(WINDOW),
      position: Math.max(0, size - WINDOW),
    })
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-lines).join('\n')
  } catch (e) {
    return `(${path}: ${(e as Error).message})`
  }
}
