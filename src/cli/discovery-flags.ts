import { Flags } from '@oclif/core'

/** Which files. */
export const discoveryFlags = {
  discovery: Flags.string({ summary: 'directory of discovery files', required: true, helpValue: '<dir>' }),
  'follow-symlinks': Flags.boolean({
    summary: 'take symbolic links to files inside the directory for those files; others stay errors',
  }),
}

export const gitFlag = {
  git: Flags.boolean({
    summary: 'commit the files that are written, and no others; never pushes',
  }),
}

export const mentionFlag = {
  'accept-mention': Flags.string({
    summary: 'a file that may name the old cluster outside of what moves (repeatable)',
    multiple: true,
    helpValue: '<path>',
  }),
}
