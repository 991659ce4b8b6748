// Slack's Web API as `emulate --service slack` tells it, at a free port; its command line knows no port 0.
// The seed comes as JSON in the first argument. Ends with its standard input, so that it never outlives the tests.
import { createEmulator } from 'emulate'

const seed = JSON.parse(process.argv[2])
const slack = await createEmulator({ service: 'slack', port: 0, hostname: '127.0.0.1', seed: { slack: seed } })
process.stdin.resume().on('end', () => process.exit(0))
console.log(JSON.stringify({ url: slack.url }))
