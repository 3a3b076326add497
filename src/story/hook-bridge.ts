import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../kit/index.ts'

/** What a hook is asked to do, by its name; `side` is whose writers it is about, `group` whose readers. */
export type Hooks = Readonly<Record<string, (side: string, group: string) => Promise<void>>>

const LOOK_MS = 10

/** Says what it wants by a file, and waits until that is done: the file is gone then. */
const SCRIPT = (calls: string) => `#!/bin/sh
ask="${calls}/$KMIG_HOOK.$KMIG_SIDE.$$.$KMIG_GROUP"
: > "$ask"
while [ -e "$ask" ]; do sleep 0.01; done
if [ -e "$ask.failed" ]; then cat "$ask.failed" >&2; exit 1; fi
if [ "$KMIG_HOOK" = fence ]; then echo writers-left=0; fi
`

/**
 * A directory of hooks as an operator writes them, programs of their own, whose work is done in this process: it is here
 * that the writers are. `directory` is what `--hooks` gets.
 */
export class HookBridge implements AsyncDisposable {
  readonly directory: string
  readonly #calls: string
  readonly #hooks: Hooks
  readonly #timer: NodeJS.Timeout
  readonly #seen = new Set<string>()
  private constructor(directory: string, calls: string, hooks: Hooks) {
    this.directory = directory
    this.#calls = calls
    this.#hooks = hooks
    this.#timer = setInterval(() => void this.#look(), LOOK_MS)
  }

  /** Makes the directory below `root`. */
  static async open(root: string, hooks: Hooks): Promise<HookBridge> {
    const [directory, calls] = [join(root, 'hooks'), join(root, 'hook-calls')]
    for (const path of [directory, calls]) await mkdir(path, { mode: 0o700 })
    for (const name of Object.keys(hooks)) {
      await writeFile(join(directory, name), SCRIPT(calls))
      await chmod(join(directory, name), 0o700)
    }
    return new HookBridge(directory, calls, hooks)
  }

  async #look(): Promise<void> {
    const names = await readdir(this.#calls).catch(() => [])
    for (const name of names) {
      if (this.#seen.has(name) || name.endsWith('.failed')) continue
      this.#seen.add(name)
      const [hook = '', side = '', , ...group] = name.split('.')
      try {
        await this.#hooks[hook]?.(side, group.join('.'))
      } catch (e) {
        await writeFile(join(this.#calls, `${name}.failed`), messageOf(e))
      }
      await rm(join(this.#calls, name), { force: true })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
  }
}
