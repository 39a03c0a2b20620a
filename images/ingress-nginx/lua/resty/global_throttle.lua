-- Stands in for resty.global_throttle: global rate limits need memcached, which
-- a local cluster does not have. The controller then logs this and lets the
-- request pass.
return {
  new = function() return nil, "global rate limits are not part of this image" end,
}
