// node --import kill-at.ts ... --json-stream: SIGKILL at the Nth event that reaches stdout; KILL_AT=N.
let events = 0
const write = process.stdout.write.bind(process.stdout)
process.stdout.write = ((chunk: string, ...more: never[]) => {
  if (String(chunk).startsWith('{"step"')) events += 1
  if (events === Number(process.env['KILL_AT'])) process.kill(process.pid, 'SIGKILL')
  return write(chunk, ...more)
}) as typeof process.stdout.write
