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

/** How readers come to the new cluster, where values are not replaced in place. */
export const editFlags = {
  only: Flags.string({
    summary: 'change this value alone',
    options: ['broker_list', 'zookeeper'],
    exclusive: ['beside', 'flip', 'remove-old'],
  }),
  beside: Flags.string({
    summary: 'add an entry of this name beside the old one, which stays; * is the old name',
    helpValue: '<name>',
    exclusive: ['remove-old'],
  }),
  flip: Flags.boolean({
    summary: 'make the new entry the default (local_config.cluster) where the old one is it',
    exclusive: ['remove-old'],
  }),
  'remove-old': Flags.boolean({ summary: 'remove old entries, where a new one stands in the file' }),
}
