-- Stands in for resty.ipmatcher, IPv4 only.
-- Used API: ipmatcher.new(list), :match(ip)
local bit = require("bit")
local ipairs, setmetatable, tonumber = ipairs, setmetatable, tonumber
local _M = {}
local mt = { __index = _M }

local function num(ip)
  local a, b, c, d = ip:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  return bit.bor(bit.lshift(tonumber(a), 24), bit.lshift(tonumber(b), 16),
                 bit.lshift(tonumber(c), 8), tonumber(d))
end

function _M.new(list)
  local nets = {}
  for _, cidr in ipairs(list) do
    local ip, len = cidr:match("^([^/]+)/?(%d*)$")
    local n = ip and num(ip)
    if not n then return nil, "not an IPv4 CIDR: " .. cidr end
    len = len == "" and 32 or tonumber(len)
    local mask = len == 0 and 0 or bit.lshift(-1, 32 - len)
    nets[#nets + 1] = { net = bit.band(n, mask), mask = mask }
  end
  return setmetatable({ nets = nets }, mt)
end

function _M.match(self, ip)
  local n = num(ip)
  if not n then return nil, "not an IPv4 address" end
  for _, e in ipairs(self.nets) do
    if bit.band(n, e.mask) == e.net then return true end
  end
  return false
end

return _M
